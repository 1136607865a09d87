// text/trie.c: a trie laid out breadth first, from sorted texts.
#include "text/trie.h"
#include "base/arena.h"
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    const dit_trie_entry *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->size < y->size ? x->size : y->size);
    if (!order)
        order = (x->size > y->size) - (x->size < y->size);
    return order ? order : (x->value > y->value) - (x->value < y->value);
}

// The entries below a node while the trie is built: those that share the bytes on the way to it.
struct span {
    uint32_t from, to, depth;
};

struct growing {
    dit_trie *trie;
    struct span *spans; // [count]
    size_t label_room, first_room, value_room, span_room;
};

static bool add_node(struct growing *g, uint8_t label, struct span span)
{
    dit_trie *t = g->trie;
    if (t->count >= UINT32_MAX - 1 || !dit_grow(&t->label, &g->label_room, t->count + 1, sizeof *t->label) ||
        !dit_grow(&t->first, &g->first_room, t->count + 2, sizeof *t->first) ||
        !dit_grow(&t->value, &g->value_room, t->count + 1, sizeof *t->value) ||
        !dit_grow(&g->spans, &g->span_room, t->count + 1, sizeof *g->spans))
        return false;
    t->label[t->count] = label;
    t->value[t->count] = -1;
    g->spans[t->count++] = span;
    return true;
}

static bool add_children(struct growing *g, size_t node, const dit_trie_entry *entries)
{
    struct span s = g->spans[node];
    g->trie->first[node] = (uint32_t)g->trie->count;
    for (; s.from < s.to && entries[s.from].size == s.depth; s.from++)
        g->trie->value[node] = entries[s.from].value;
    for (uint32_t end; s.from < s.to; s.from = end) {
        uint8_t label = (uint8_t)entries[s.from].text[s.depth];
        for (end = s.from + 1; end < s.to && (uint8_t)entries[end].text[s.depth] == label;)
            end++;
        if (!add_node(g, label, (struct span){s.from, end, s.depth + 1}))
            return false;
    }
    return true;
}

dit_status dit_trie_build(dit_trie *trie, dit_trie_entry *entries, size_t count, dit_error *error)
{
    struct growing g = {.trie = trie};
    if (count > 0)
        qsort(entries, count, sizeof *entries, compare);
    bool fits = count < UINT32_MAX && add_node(&g, 0, (struct span){0, (uint32_t)count, 0});
    for (size_t node = 0; fits && node < trie->count; node++)
        fits = add_children(&g, node, entries);
    if (fits)
        trie->first[trie->count] = (uint32_t)trie->count;
    free(g.spans);
    return fits ? DIT_OK : dit_fail(error, DIT_NO_MEMORY, "no memory for the tokens of a tokenizer");
}

void dit_trie_free(dit_trie *trie)
{
    free(trie->label);
    free(trie->first);
    free(trie->value);
    *trie = (dit_trie){0};
}

uint32_t dit_trie_child(const dit_trie *trie, uint32_t node, uint8_t byte)
{
    uint32_t first = trie->first[node];
    const uint8_t *found = memchr(trie->label + first, byte, trie->first[node + 1] - first);
    return found ? (uint32_t)(found - trie->label) : 0;
}

int dit_trie_longest(const dit_trie *trie, const char *text, size_t size, size_t *length)
{
    int value = -1;
    uint32_t node = 0;
    for (size_t at = 0; at < size && (node = dit_trie_child(trie, node, (uint8_t)text[at])); at++)
        if (trie->value[node] >= 0) {
            value = trie->value[node];
            *length = at + 1;
        }
    return value;
}
