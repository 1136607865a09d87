// text/bpe.c: the merges as a hash table, and encoding with a queue of the pairs that can be merged.
#include "text/bpe.h"
#include "text/character.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- The table

static size_t place_of(const dit_bpe *bpe, uint64_t pair)
{
    uint64_t h = (pair ^ pair >> 29) * UINT64_C(0x9E3779B97F4A7C15);
    size_t at = (size_t)(h >> 32) & (bpe->capacity - 1);
    while (bpe->merges[at].pair != UINT64_MAX && bpe->merges[at].pair != pair)
        at = (at + 1) & (bpe->capacity - 1);
    return at;
}

static bool grow(dit_bpe *bpe)
{
    dit_bpe larger = *bpe;
    larger.capacity = bpe->capacity ? 2 * bpe->capacity : 1024;
    larger.merges = malloc(larger.capacity * sizeof *larger.merges);
    if (!larger.merges)
        return false;
    memset(larger.merges, 0xff, larger.capacity * sizeof *larger.merges);
    for (size_t i = 0; i < bpe->capacity; i++)
        if (bpe->merges[i].pair != UINT64_MAX)
            larger.merges[place_of(&larger, bpe->merges[i].pair)] = bpe->merges[i];
    free(bpe->merges);
    *bpe = larger;
    return true;
}

dit_status dit_bpe_add(dit_bpe *bpe, int32_t first, int32_t second, int32_t id, dit_error *error)
{
    uint64_t pair = dit_pair(first, second);
    if (2 * bpe->count >= bpe->capacity && !grow(bpe))
        return dit_fail(error, DIT_NO_MEMORY, "no memory for the merges of a tokenizer");
    size_t at = place_of(bpe, pair);
    if (bpe->merges[at].pair == pair)
        return dit_fail(error, DIT_BAD_FILE, "merge %zu joins the same tokens as merge %d", bpe->count,
                        bpe->merges[at].rank);
    bpe->merges[at] = (struct dit_merge){pair, (int32_t)bpe->count++, id};
    return DIT_OK;
}

const struct dit_merge *dit_bpe_find(const dit_bpe *bpe, uint64_t pair)
{
    if (bpe->count == 0)
        return NULL;
    const struct dit_merge *merge = &bpe->merges[place_of(bpe, pair)];
    return merge->pair == pair ? merge : NULL;
}

void dit_bpe_free(dit_bpe *bpe)
{
    free(bpe->merges);
    *bpe = (dit_bpe){0};
}

// ---- Merging

// A symbol of the word in a linked list by position; -1 ends it. A symbol that was merged away has id -1.
struct symbol {
    int32_t id, before, after;
};

// A pair that could be merged when it was seen: the symbol at `at` and the one after it.
struct candidate {
    int32_t rank, at, id;
};

struct work {
    const dit_bpe *bpe;
    struct symbol *symbols; // [size]
    struct candidate *heap; // the lowest rank first, the leftmost of equals
    size_t heap_count, heap_capacity;
};

static bool comes_before(const struct candidate *a, const struct candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void sift_down(struct work *w)
{
    struct candidate *heap = w->heap, moved = heap[0];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < w->heap_count; at = child) {
        if (child + 1 < w->heap_count && comes_before(&heap[child + 1], &heap[child]))
            child++;
        if (!comes_before(&heap[child], &moved))
            break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

// Queues the pair that starts at symbol `at`, if it is one that merges. False when memory is out.
static bool consider(struct work *w, int32_t at)
{
    int32_t after = at < 0 ? -1 : w->symbols[at].after;
    if (after < 0)
        return true;
    const struct dit_merge *merge = dit_bpe_find(w->bpe, dit_pair(w->symbols[at].id, w->symbols[after].id));
    if (!merge)
        return true;
    if (!dit_grow(&w->heap, &w->heap_capacity, w->heap_count + 1, sizeof *w->heap))
        return false;
    struct candidate new = {merge->rank, at, merge->id};
    size_t place = w->heap_count++;
    for (size_t parent; place > 0 && comes_before(&new, &w->heap[parent = (place - 1) / 2]); place = parent)
        w->heap[place] = w->heap[parent];
    w->heap[place] = new;
    return true;
}

// Is the pair that the candidate saw still there? A neighbour may have merged meanwhile; another pair that becomes the
// same token will do, as in the reference.
static bool holds(const struct work *w, const struct candidate *c)
{
    const struct symbol *left = &w->symbols[c->at];
    if (left->id < 0 || left->after < 0)
        return false;
    const struct dit_merge *merge = dit_bpe_find(w->bpe, dit_pair(left->id, w->symbols[left->after].id));
    return merge && merge->id == c->id;
}

static bool merge_all(struct work *w)
{
    while (w->heap_count > 0) {
        struct candidate best = w->heap[0];
        w->heap[0] = w->heap[--w->heap_count];
        sift_down(w);
        if (!holds(w, &best))
            continue;
        struct symbol *left = &w->symbols[best.at], *right = &w->symbols[left->after];
        left->id = best.id;
        left->after = right->after;
        right->id = -1;
        if (left->after >= 0)
            w->symbols[left->after].before = best.at;
        if (!consider(w, left->before) || !consider(w, best.at))
            return false;
    }
    return true;
}

dit_status dit_bpe_merge(const dit_bpe *bpe, int32_t *ids, size_t *count, dit_error *error)
{
    size_t size = *count;
    if (size < 2)
        return DIT_OK;
    if (size > INT32_MAX / 2)
        return dit_fail(error, DIT_BAD_ARGUMENT, "a word of %zu characters is too long for a tokenizer", size);
    struct work w = {.bpe = bpe, .symbols = malloc(size * sizeof *w.symbols)};
    bool fits = w.symbols != NULL;
    for (int32_t i = 0; i < (int32_t)size && fits; i++)
        w.symbols[i] = (struct symbol){ids[i], i - 1, i + 1 < (int32_t)size ? i + 1 : -1};
    for (int32_t i = 0; i < (int32_t)size && fits; i++)
        fits = consider(&w, i);
    fits = fits && merge_all(&w);
    *count = 0;
    for (int32_t i = 0; fits && i >= 0; i = w.symbols[i].after)
        ids[(*count)++] = w.symbols[i].id;
    free(w.symbols);
    free(w.heap);
    return fits ? DIT_OK : dit_fail(error, DIT_NO_MEMORY, "no memory to tokenize a word of %zu characters", size);
}

// ---- Encoding

void dit_find_byte_tokens(const dit_vocabulary *vocabulary, int32_t byte_id[256])
{
    char text[8];
    for (int byte = 0; byte < 256; byte++) {
        snprintf(text, sizeof text, "<0x%02X>", byte);
        byte_id[byte] = dit_vocabulary_find(vocabulary, text, strlen(text));
    }
}

// A character with the model's prefix or suffix, where it takes one; the size.
static size_t spell(const dit_bpe_model *m, const char *character, size_t size, bool first, bool last, char *text)
{
    size_t before = first ? 0 : strlen(m->prefix), after = last ? strlen(m->suffix) : 0;
    memcpy(text, m->prefix, before);
    memcpy(text + before, character, size);
    memcpy(text + before + size, m->suffix, after);
    return before + size + after;
}

// Appends the tokens of the bytes, if every byte has one.
static bool add_bytes(const dit_bpe_model *m, const char *text, size_t size, dit_ids *ids)
{
    for (size_t i = 0; i < size; i++)
        if (m->byte_id[(uint8_t)text[i]] < 0)
            return false;
    for (size_t i = 0; i < size; i++)
        ids->id[ids->count++] = m->byte_id[(uint8_t)text[i]];
    return true;
}

// The characters of a word as tokens. An unknown one is held back until the next known one, so that its neighbours can
// join it; the tokens of bytes do not end the wait, as in the reference.
static dit_status add_characters(const dit_bpe_model *m, const dit_vocabulary *vocabulary, const char *word,
                                 size_t size, dit_ids *ids, dit_error *error)
{
    char text[4 + 2 * DIT_LONGEST_AFFIX];
    bool waiting = false;
    for (size_t at = 0, n; at < size; at += n) {
        n = dit_character_at(word + at, size - at).size;
        size_t length = spell(m, word + at, n, at == 0, at + n == size, text);
        int id = dit_vocabulary_find(vocabulary, text, length);
        if (dit_ids_reserve(ids, length + 1, error))
            return error->status;
        if (id < 0 && m->byte_fallback && add_bytes(m, text, length, ids))
            continue;
        if (id < 0 && m->unknown == DIT_LOST_UNKNOWN)
            return dit_fail(error, DIT_BAD_ARGUMENT,
                            "the tokenizer has no token for \"%.*s\", nor one for what it does not know", (int)n,
                            word + at);
        if (waiting && (id >= 0 || !m->fuse_unknown))
            ids->id[ids->count++] = m->unknown;
        waiting = id < 0 && m->unknown >= 0;
        if (id >= 0)
            ids->id[ids->count++] = id;
    }
    return waiting ? dit_ids_add(ids, m->unknown, error) : DIT_OK;
}

dit_status dit_bpe_encode(const dit_bpe_model *model, const dit_vocabulary *vocabulary, const char *word, size_t size,
                          dit_ids *ids, dit_error *error)
{
    int whole = model->whole_words ? dit_vocabulary_find(vocabulary, word, size) : -1;
    if (whole >= 0)
        return dit_ids_add(ids, whole, error);
    size_t start = ids->count;
    dit_status status = add_characters(model, vocabulary, word, size, ids, error);
    size_t count = ids->count - start;
    if (!status)
        status = dit_bpe_merge(&model->merges, ids->id + start, &count, error);
    ids->count = start + count;
    return status;
}
