// text/split.h: a text cut into the pieces that a model tokenizes one by one ("pre-tokenization").
#ifndef DIT_TEXT_SPLIT_H
#define DIT_TEXT_SPLIT_H

#include "text/normalize.h"
#include <stdint.h>

// What becomes of the parts that match, between those that do not.
typedef enum dit_split_behavior {
    DIT_SPLIT_REMOVED,
    DIT_SPLIT_ISOLATED,
    DIT_SPLIT_MERGED_WITH_PREVIOUS,
    DIT_SPLIT_MERGED_WITH_NEXT,
    DIT_SPLIT_CONTIGUOUS, // isolated, and matches side by side stay together
} dit_split_behavior;

typedef enum dit_split_kind {
    DIT_SPLIT_AT_REGEX,
    DIT_SPLIT_AT_TEXT,
    DIT_SPLIT_AT_CLASS,     // every character of a class
    DIT_SPLIT_AT_WORDS,     // byte_level.h's words
    DIT_SPLIT_PREFIX_SPACE, // puts a space before a piece that does not start with one
    DIT_SPLIT_METASPACE,    // `text` for spaces, and before a piece as `prefix` says
    DIT_SPLIT_BYTES,        // byte-level: every byte becomes its visible character
} dit_split_kind;

enum { DIT_PREFIX_NEVER, DIT_PREFIX_FIRST, DIT_PREFIX_ALWAYS };

typedef struct dit_split_step { // the regex and the text are borrowed
    dit_split_kind kind;
    dit_split_behavior behavior;
    bool invert; // what matches and what does not change places
    const dit_regex *regex;
    const char *text;
    size_t text_size;
    bool (*is_member)(int code);
    int prefix;
} dit_split_step;

// Pieces of one text; those with an id are tokens already. Zero-initialise; freed with dit_pieces_free.
typedef struct dit_pieces {
    dit_text text;
    struct dit_piece {
        size_t at, size; // in `text`
        int32_t id;      // -1: text to be tokenized
        bool first;      // begins where the whole text does
    } * piece;           // [count]
    size_t count, room;
} dit_pieces;

// Adds a piece, unless it is empty text, which it copies to the end of `text`. Fails with DIT_NO_MEMORY.
dit_status dit_pieces_add(dit_pieces *pieces, const char *text, size_t size, int32_t id, bool first, dit_error *error);
void dit_pieces_free(dit_pieces *pieces);

// Cuts and changes the pieces, step by step. Fails with DIT_NO_MEMORY or DIT_BAD_ARGUMENT (an expression takes too many
// steps).
dit_status dit_split(dit_pieces *pieces, const dit_split_step *steps, int count, dit_error *error);

#endif
