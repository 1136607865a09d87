// text/trie.h: a set of texts that is searched byte by byte: which of them begin here?
#ifndef DIT_TEXT_TRIE_H
#define DIT_TEXT_TRIE_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A text and what it means. The text is borrowed while the trie is built.
typedef struct dit_trie_entry {
    const char *text;
    uint32_t size;
    int32_t value; // >= 0
} dit_trie_entry;

// Zero-initialise; freed with dit_trie_free. Node 0 is the root; the children of a node lie side by side, in the order
// of their labels, and later than the node.
typedef struct dit_trie {
    uint8_t *label;  // [count] the byte that leads to a node
    uint32_t *first; // [count + 1] the children of node k are first[k] .. first[k + 1] - 1
    int32_t *value;  // [count] of the text that ends at a node; -1: none does
    size_t count;
} dit_trie;

// Builds the trie of `count` entries, which it sorts; of equal texts the largest value counts. Fails with
// DIT_NO_MEMORY.
dit_status dit_trie_build(dit_trie *trie, dit_trie_entry *entries, size_t count, dit_error *error);
void dit_trie_free(dit_trie *trie);

// The node that `byte` leads to; 0 when there is none.
uint32_t dit_trie_child(const dit_trie *trie, uint32_t node, uint8_t byte);
// The value of the longest text that `text` begins with, and its size; -1 when there is none.
int dit_trie_longest(const dit_trie *trie, const char *text, size_t size, size_t *length);

#endif
