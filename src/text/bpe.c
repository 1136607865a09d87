// text/bpe.c: the merges as a hash table, and encoding with a queue of the pairs that can be merged.
#include "text/bpe.h"
#include "base/arena.h"
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

// ---- Encoding

// A symbol of the word in a linked list by position; -1 ends it. A symbol that was merged away has id -1.
struct symbol {
    int32_t id, before, after;
};

// A pair that could be merged when it was seen: the symbol at `at` and the one after it.
struct candidate {
    int32_t rank, at;
    uint64_t pair;
    int32_t id;
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
    uint64_t pair = dit_pair(w->symbols[at].id, w->symbols[after].id);
    const struct dit_merge *merge = dit_bpe_find(w->bpe, pair);
    if (!merge)
        return true;
    if (!dit_grow(&w->heap, &w->heap_capacity, w->heap_count + 1, sizeof *w->heap))
        return false;
    struct candidate new = {merge->rank, at, pair, merge->id};
    size_t place = w->heap_count++;
    for (size_t parent; place > 0 && comes_before(&new, &w->heap[parent = (place - 1) / 2]); place = parent)
        w->heap[place] = w->heap[parent];
    w->heap[place] = new;
    return true;
}

static bool merge_all(struct work *w)
{
    while (w->heap_count > 0) {
        struct candidate best = w->heap[0];
        w->heap[0] = w->heap[--w->heap_count];
        sift_down(w);
        struct symbol *left = &w->symbols[best.at];
        if (left->id < 0 || left->after < 0 || dit_pair(left->id, w->symbols[left->after].id) != best.pair)
            continue; // one of the two was merged with another neighbour meanwhile
        struct symbol *right = &w->symbols[left->after];
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

dit_status dit_bpe_encode(const dit_bpe *bpe, const uint8_t *word, size_t size, int32_t *ids, size_t *count,
                          dit_error *error)
{
    if (size > INT32_MAX / 2)
        return dit_fail(error, DIT_BAD_ARGUMENT, "a word of %zu bytes is too long for a tokenizer", size);
    struct work w = {.bpe = bpe, .symbols = malloc(size * sizeof *w.symbols)};
    bool fits = w.symbols != NULL;
    for (int32_t i = 0; i < (int32_t)size && fits; i++)
        w.symbols[i] = (struct symbol){bpe->byte_id[word[i]], i - 1, i + 1 < (int32_t)size ? i + 1 : -1};
    for (int32_t i = 0; i < (int32_t)size && fits; i++)
        fits = consider(&w, i);
    fits = fits && merge_all(&w);
    *count = 0;
    for (int32_t i = 0; fits && i >= 0; i = w.symbols[i].after)
        ids[(*count)++] = w.symbols[i].id;
    free(w.symbols);
    free(w.heap);
    return fits ? DIT_OK : dit_fail(error, DIT_NO_MEMORY, "no memory to tokenize a word of %zu bytes", size);
}
