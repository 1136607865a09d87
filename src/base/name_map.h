// base/name_map.h: from a name to a number, for lists whose entries are found by name.
#ifndef DIT_BASE_NAME_MAP_H
#define DIT_BASE_NAME_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// FNV-1a of a name, 64 bits: the same on every machine.
uint64_t dit_name_hash(const char *name);

// Zero-initialise; freed with dit_name_map_free. Names are borrowed: they must outlive the map.
typedef struct dit_name_map {
    struct dit_name_slot {
        const char *name; // NULL: empty
        int value;
    } * slots;
    size_t capacity, count; // capacity: zero or a power of two
} dit_name_map;

// False when memory is out. The name must not be in the map.
bool dit_name_map_add(dit_name_map *map, const char *name, int value);
int dit_name_map_find(const dit_name_map *map, const char *name); // -1 when it is not there
void dit_name_map_free(dit_name_map *map);

#endif
