// text/unigram.h: unigram language models of tokens (Kudo 2018, arXiv 1804.10959): of all ways to cut a word into
// tokens, the one with the largest sum of scores.
#ifndef DIT_TEXT_UNIGRAM_H
#define DIT_TEXT_UNIGRAM_H

#include "text/ids.h"
#include "text/trie.h"
#include "text/vocabulary.h"

typedef struct dit_unigram { // zero-initialise; freed with dit_unigram_free
    dit_trie trie;           // of the vocabulary
    double *score;           // [count] log probabilities
    size_t score_room;
    double least;       // the smallest score; an unknown character has ten less
    int32_t unknown;    // its id; -1: there is none
    bool byte_fallback; // unknown text becomes the tokens of its bytes
    int32_t byte_id[256];
} dit_unigram;

// Builds the trie of a vocabulary whose scores are set. Fails with DIT_NO_MEMORY.
dit_status dit_unigram_prepare(dit_unigram *model, const dit_vocabulary *vocabulary, dit_error *error);
void dit_unigram_free(dit_unigram *model);

// Appends the ids of one word of `size` >= 1 bytes of UTF-8. Unknown characters side by side become one token. Fails
// with DIT_NO_MEMORY, or with DIT_BAD_ARGUMENT (a character is unknown and the file names no token for that).
dit_status dit_unigram_encode(const dit_unigram *model, const dit_vocabulary *vocabulary, const char *word, size_t size,
                              dit_ids *ids, dit_error *error);

#endif
