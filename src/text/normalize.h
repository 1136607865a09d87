// text/normalize.h: text made comparable before it is split: Unicode normal forms, lower case, replacements.
#ifndef DIT_TEXT_NORMALIZE_H
#define DIT_TEXT_NORMALIZE_H

#include "text/character.h"
#include "text/charsmap.h"
#include "text/regex.h"

typedef enum dit_normal {
    DIT_NORMAL_NFC, // the Unicode normal forms (Unicode Standard Annex 15)
    DIT_NORMAL_NFD,
    DIT_NORMAL_NFKC,
    DIT_NORMAL_NFKD,
    DIT_NORMAL_LOWERCASE, // character by character, without regard to context or language
    DIT_NORMAL_STRIP_LEFT,
    DIT_NORMAL_STRIP_RIGHT,
    DIT_NORMAL_STRIP_MARKS,      // no combining marks
    DIT_NORMAL_STRIP_NONSPACING, // no marks of category Mn
    DIT_NORMAL_CLEAN,            // no control characters and U+FFFD; every kind of space is U+0020
    DIT_NORMAL_SPACE_IDEOGRAPHS, // a space on both sides of Chinese characters
    DIT_NORMAL_NMT,              // SentencePiece's rule for control characters and spaces
    DIT_NORMAL_BYTES,            // byte-level: every byte becomes its visible character (byte_level.h)
    DIT_NORMAL_PREPEND,          // puts `content` before a text that is not empty
    DIT_NORMAL_REPLACE,          // `content` for every match of `regex` or, without one, of the text `find`
    DIT_NORMAL_CHARSMAP,         // what `map` says, grapheme by grapheme
} dit_normal;

// One step. The texts, the regex and the map are borrowed.
typedef struct dit_normal_step {
    dit_normal kind;
    bool newest; // a normal form of all characters, as Python's; otherwise of those that `tokenizers` knows
    const dit_regex *regex;
    const char *find, *content;
    size_t find_size, content_size;
    const dit_charsmap *map;
} dit_normal_step;

// UTF-8 with a length, in a malloc'd block of `room` bytes that its owner frees. Zero-initialise.
typedef struct dit_text {
    char *bytes;
    size_t size, room;
} dit_text;

// False when memory is out.
bool dit_text_append(dit_text *text, const char *bytes, size_t size);

// Applies the steps in their order to valid UTF-8. The caller frees out->bytes, which has a zero byte at its end. Fails
// with DIT_NO_MEMORY, or with DIT_BAD_ARGUMENT where an expression takes too many steps.
dit_status dit_text_normalize(const char *text, size_t size, const dit_normal_step *steps, int count, dit_text *out,
                              dit_error *error);

#endif
