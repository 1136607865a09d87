// base/name_map.c: open addressing with linear probing, at most two thirds full.
#include "base/name_map.h"
#include <stdlib.h>
#include <string.h>

uint64_t dit_name_hash(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return h;
}

// The slot that holds `name`, or the empty one where it belongs.
static struct dit_name_slot *slot_of(const dit_name_map *map, const char *name)
{
    size_t i = dit_name_hash(name) & (map->capacity - 1);
    while (map->slots[i].name && strcmp(map->slots[i].name, name))
        i = (i + 1) & (map->capacity - 1);
    return &map->slots[i];
}

static bool rehash(dit_name_map *map, size_t capacity)
{
    dit_name_map larger = {calloc(capacity, sizeof *larger.slots), capacity, map->count};
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].name)
            *slot_of(&larger, map->slots[i].name) = map->slots[i];
    free(map->slots);
    *map = larger;
    return true;
}

bool dit_name_map_add(dit_name_map *map, const char *name, int value)
{
    if (map->count * 3 >= map->capacity * 2 && !rehash(map, map->capacity ? map->capacity * 2 : 64))
        return false;
    *slot_of(map, name) = (struct dit_name_slot){name, value};
    map->count++;
    return true;
}

int dit_name_map_find(const dit_name_map *map, const char *name)
{
    if (!map->capacity)
        return -1;
    const struct dit_name_slot *slot = slot_of(map, name);
    return slot->name ? slot->value : -1;
}

void dit_name_map_free(dit_name_map *map)
{
    free(map->slots);
    *map = (dit_name_map){0};
}
