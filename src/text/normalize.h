// text/normalize.h: text made comparable before it is split: Unicode normal forms, lower case, no space around it.
#ifndef DIT_TEXT_NORMALIZE_H
#define DIT_TEXT_NORMALIZE_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

typedef enum dit_normal {
    DIT_NORMAL_NFC, // the Unicode normal forms (Unicode Standard Annex 15)
    DIT_NORMAL_NFD,
    DIT_NORMAL_NFKC,
    DIT_NORMAL_NFKD,
    DIT_NORMAL_LOWERCASE, // character by character, without regard to context or language
    DIT_NORMAL_STRIP_LEFT,
    DIT_NORMAL_STRIP_RIGHT,
} dit_normal;

// UTF-8 with a length; a zero byte follows that does not count. `bytes` is malloc'd.
typedef struct dit_text {
    char *bytes;
    size_t size;
} dit_text;

// A character: its code point and the bytes that it takes.
typedef struct dit_character {
    int code;
    size_t size;
} dit_character;

// The first character of valid UTF-8 of at least one byte.
dit_character dit_character_at(const char *text, size_t size);
// Unicode's White_Space property.
bool dit_is_space(int code);

// DIT_BAD_ARGUMENT, with the place of the first bad byte, unless the text is UTF-8 (surrogates excluded). `what` names
// the text.
dit_status dit_text_check(const char *text, size_t size, const char *what, dit_error *error);

// Applies the steps in their order to valid UTF-8. The caller frees out->bytes. Fails with DIT_NO_MEMORY.
dit_status dit_text_normalize(const char *text, size_t size, const dit_normal *steps, int count, dit_text *out,
                              dit_error *error);

#endif
