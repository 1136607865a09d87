// text/vocabulary.c: tokens in one block, and a hash table of their ids that is at most half full.
#include "text/vocabulary.h"
#include "base/arena.h"
#include <stdlib.h>
#include <string.h>

static uint64_t hash(uint64_t h, const char *text, size_t size) // FNV-1a, which takes a text in parts
{
    for (size_t i = 0; i < size; i++)
        h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return h;
}
#define HASH_START UINT64_C(0xcbf29ce484222325)

// Where the two texts joined are in the table, or would be.
static size_t place_of(const dit_vocabulary *v, const char *a, size_t a_size, const char *b, size_t b_size)
{
    uint64_t h = hash(hash(HASH_START, a, a_size), b, b_size);
    size_t at = (size_t)(h ^ h >> 32) & (v->capacity - 1);
    for (; v->table[at] >= 0; at = (at + 1) & (v->capacity - 1)) {
        const struct dit_vocabulary_token *t = &v->tokens[v->table[at]];
        const char *text = v->bytes + t->at;
        if (t->size == a_size + b_size && !memcmp(text, a, a_size) && (!b_size || !memcmp(text + a_size, b, b_size)))
            break;
    }
    return at;
}

static bool grow_table(dit_vocabulary *v)
{
    size_t capacity = v->capacity ? 2 * v->capacity : 1024;
    int32_t *larger = malloc(capacity * sizeof *larger), *old = v->table;
    size_t old_capacity = v->capacity;
    if (!larger)
        return false;
    memset(larger, 0xff, capacity * sizeof *larger);
    v->table = larger;
    v->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i] >= 0) {
            const struct dit_vocabulary_token *t = &v->tokens[old[i]];
            larger[place_of(v, v->bytes + t->at, t->size, "", 0)] = old[i];
        }
    free(old);
    return true;
}

dit_status dit_vocabulary_add(dit_vocabulary *v, const char *text, size_t size, int64_t id, dit_error *error)
{
    if (id < 0 || id >= DIT_MOST_TOKENS)
        return dit_fail(error, DIT_BAD_FILE, "has the id %lld; ids are 0 to %d", (long long)id, DIT_MOST_TOKENS - 1);
    if (id < v->size && v->tokens[id].at != UINT32_MAX)
        return dit_fail(error, DIT_BAD_FILE, "has the id %d, and so has \"%.60s\"", (int)id,
                        v->bytes + v->tokens[id].at);
    if (v->byte_count + size + 1 >= UINT32_MAX || (2 * (size_t)v->count >= v->capacity && !grow_table(v)) ||
        !dit_grow(&v->tokens, &v->token_room, (size_t)id + 1, sizeof *v->tokens) ||
        !dit_grow(&v->bytes, &v->byte_room, v->byte_count + size + 1, 1))
        return dit_fail(error, DIT_NO_MEMORY, "no memory for the tokens of a tokenizer");
    for (; v->size <= id; v->size++)
        v->tokens[v->size].at = UINT32_MAX;
    v->table[place_of(v, text, size, "", 0)] = (int32_t)id;
    v->tokens[id] = (struct dit_vocabulary_token){(uint32_t)v->byte_count, (uint32_t)size};
    memcpy(v->bytes + v->byte_count, text, size);
    v->bytes[v->byte_count + size] = 0;
    v->byte_count += size + 1;
    v->count++;
    return DIT_OK;
}

int dit_vocabulary_find(const dit_vocabulary *v, const char *text, size_t size)
{
    return v->capacity ? v->table[place_of(v, text, size, "", 0)] : -1;
}

int dit_vocabulary_find_joined(const dit_vocabulary *v, const char *first, size_t first_size, const char *second,
                               size_t second_size)
{
    return v->capacity ? v->table[place_of(v, first, first_size, second, second_size)] : -1;
}

const char *dit_vocabulary_text(const dit_vocabulary *v, int id, size_t *size)
{
    if (id < 0 || id >= v->size || v->tokens[id].at == UINT32_MAX)
        return NULL;
    *size = v->tokens[id].size;
    return v->bytes + v->tokens[id].at;
}

void dit_vocabulary_free(dit_vocabulary *v)
{
    free(v->bytes);
    free(v->tokens);
    free(v->table);
    *v = (dit_vocabulary){0};
}
