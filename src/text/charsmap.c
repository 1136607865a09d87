// text/charsmap.c: reading a precompiled charsmap. Units may point anywhere: every step is checked against the array.
#include "text/charsmap.h"
#include "text/character.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct dit_charsmap {
    uint32_t *units; // [count]
    size_t count;
    char *replacements; // zero-terminated texts; a zero byte follows the last
    size_t size;
};

dit_status dit_charsmap_open(dit_charsmap **out, const void *bytes, size_t size, dit_error *error)
{
    const unsigned char *b = bytes;
    *out = NULL;
    uint32_t trie = size >= 4 ? b[0] | b[1] << 8 | b[2] << 16 | (uint32_t)b[3] << 24 : 0;
    dit_error fault = {0};
    if (trie < 4 || trie % 4 || trie > size - 4)
        return dit_fail(error, DIT_BAD_FILE, "holds no charsmap: its trie has %u of %zu bytes", trie, size);
    if (dit_text_check((const char *)b + 4 + trie, size - 4 - trie, "a charsmap", &fault))
        return dit_fail(error, DIT_BAD_FILE, "holds no charsmap: its replacements are not UTF-8");
    dit_charsmap *map = calloc(1, sizeof *map);
    if (map) {
        map->count = trie / 4;
        map->size = size - 4 - trie;
        map->units = malloc(trie);
        map->replacements = malloc(map->size + 1);
    }
    if (!map || !map->units || !map->replacements) {
        dit_charsmap_close(map);
        return dit_fail(error, DIT_NO_MEMORY, "no memory for a charsmap");
    }
    for (size_t i = 0; i < map->count; i++, b += 4)
        map->units[i] = b[4] | b[5] << 8 | b[6] << 16 | (uint32_t)b[7] << 24;
    memcpy(map->replacements, b + 4, map->size);
    map->replacements[map->size] = 0;
    *out = map;
    return DIT_OK;
}

void dit_charsmap_close(dit_charsmap *map)
{
    if (!map)
        return;
    free(map->units);
    free(map->replacements);
    free(map);
}

// A unit: bits 0 to 7 label (bit 31 set: a value), bit 8 "a value follows", bits 10 to 30 the offset of the children,
// times 256 when bit 9 is set.
static uint32_t offset_of(uint32_t unit)
{
    return (unit >> 10) << ((unit & UINT32_C(0x200)) >> 6);
}

const char *dit_charsmap_find(const dit_charsmap *map, const char *text, size_t size)
{
    size_t node = offset_of(map->units[0]);
    for (size_t i = 0; i < size && text[i]; i++) {
        uint8_t byte = (uint8_t)text[i];
        node ^= byte;
        if (node >= map->count || (map->units[node] & UINT32_C(0x800000ff)) != byte)
            return NULL;
        bool ends = map->units[node] >> 8 & 1;
        node ^= offset_of(map->units[node]);
        if (ends) {
            uint32_t at = node < map->count ? map->units[node] & INT32_MAX : UINT32_MAX;
            // A place inside a character is a hole in the file, not a replacement.
            return at <= map->size && (map->replacements[at] & 0xc0) != 0x80 ? map->replacements + at : NULL;
        }
    }
    return NULL;
}
