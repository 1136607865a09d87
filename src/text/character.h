// text/character.h: the characters of UTF-8 text and the classes that tokenizers sort them into.
//
// The classes are those of the `tokenizers` library, whose tables come from several Unicode versions
// (character_tables.h).
#ifndef DIT_TEXT_CHARACTER_H
#define DIT_TEXT_CHARACTER_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

// A character: its code point and the bytes that it takes.
typedef struct dit_character {
    int code;
    size_t size;
} dit_character;

// The first character of valid UTF-8 of at least one byte.
dit_character dit_character_at(const char *text, size_t size);
// The last character of valid UTF-8 of at least one byte.
dit_character dit_last_character(const char *text, size_t size);
// Writes a character that is no surrogate; returns its 1 to 4 bytes.
size_t dit_character_write(int code, char *text);

// DIT_BAD_ARGUMENT, with the place of the first bad byte, unless the text is UTF-8 (surrogates excluded). `what` names
// the text.
dit_status dit_text_check(const char *text, size_t size, const char *what, dit_error *error);
// Every broken part of what should be UTF-8 becomes U+FFFD, as many as Unicode advises (chapter 3.9, "maximal subpart";
// so does Python's decode(errors="replace")). *result is malloc'd, with a zero byte after its *result_size. Fails with
// DIT_NO_MEMORY.
dit_status dit_text_repair(const char *text, size_t size, char **result, size_t *result_size, dit_error *error);

// Puts an older character of the same category and size in the place of every one of Unicode 15 and 16, for regular
// expressions of the library, whose classes have them whatever PCRE2's do. The text is valid UTF-8.
void dit_text_stand_in(char *text, size_t size);

bool dit_is_space(int code);       // Unicode's White_Space property
bool dit_is_letter(int code);      // category L
bool dit_is_number(int code);      // category N
bool dit_is_word(int code);        // `\w`: letters, marks, decimal digits, connectors (Unicode Technical Standard 18)
bool dit_is_punctuation(int code); // category P, and the other signs of ASCII
bool dit_is_control(int code);     // categories Cc, Cf and Co
bool dit_is_mark(int code);        // category M
bool dit_is_nonspacing_mark(int code); // category Mn
bool dit_is_accent(int code);          // category M, as StripAccents knows it
bool dit_keeps_its_form(int code);     // newer than the library's normal forms
bool dit_is_ideograph(int code);       // the blocks of Chinese characters that BERT sets apart

#endif
