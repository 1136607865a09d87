// text/added.h: tokens that are recognised in a text before a model sees it, such as "<pad>" or "<extra_id_7>".
#ifndef DIT_TEXT_ADDED_H
#define DIT_TEXT_ADDED_H

#include "text/trie.h"

typedef struct dit_added_token {
    const char *content; // borrowed
    size_t size;
    int32_t id;
    bool special;    // is left out when ids are turned into text
    bool normalized; // is looked for, normalised, in normalised text
    bool single_word;
    bool strip_left, strip_right; // takes the spaces beside it along
} dit_added_token;

// What a part of a text is: a token, or text (id -1).
typedef struct dit_added_span {
    size_t from, to;
    int32_t id;
} dit_added_span;

typedef struct dit_added_spans { // zero-initialise; the owner frees `span`
    dit_added_span *span;
    size_t count, room;
} dit_added_spans;

// Cuts valid UTF-8 at the tokens of the trie, whose values are places in `tokens`: from the left, the longest first.
// The spans replace those of an earlier call. Fails with DIT_NO_MEMORY.
dit_status dit_added_find(const dit_trie *trie, const dit_added_token *tokens, const char *text, size_t size,
                          dit_added_spans *spans, dit_error *error);

#endif
