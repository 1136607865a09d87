// text/wordpiece.h: WordPiece as BERT uses it (Devlin et al. 2018, arXiv 1810.04805): the longest token that a word
// begins with, then the longest of what is left, and so on.
#ifndef DIT_TEXT_WORDPIECE_H
#define DIT_TEXT_WORDPIECE_H

#include "text/ids.h"
#include "text/vocabulary.h"

typedef struct dit_wordpiece {
    const char *prefix; // of tokens that continue a word, "##"; borrowed
    int32_t unknown;    // for a whole word that cannot be cut into tokens
    int64_t most;       // words of more characters are unknown
    size_t longest;     // bytes of the longest token
} dit_wordpiece;

// Appends the ids of one word of `size` >= 1 bytes of UTF-8. Fails with DIT_NO_MEMORY.
dit_status dit_wordpiece_encode(const dit_wordpiece *model, const dit_vocabulary *vocabulary, const char *word,
                                size_t size, dit_ids *ids, dit_error *error);

#endif
