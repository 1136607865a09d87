// text/html_private.h: what html.c knows of character references, for html_text.c.
#ifndef DIT_TEXT_HTML_PRIVATE_H
#define DIT_TEXT_HTML_PRIVATE_H

#include "text/normalize.h"
#include <stdint.h>

// What a name stands for; NULL: it is not known.
const char *dit_html_entity(const char *name, size_t size, bool *without_semicolon);
// The digits of a number ("38", "x26") at the start of a text: how many bytes, 0 when there are none. Large numbers
// stay above U+10FFFF.
size_t dit_html_number(const char *text, size_t size, int64_t *code);
// Appends a character by its number; what is no character is U+FFFD, and 0x80 to 0x9f are those of Windows-1252.
bool dit_html_append_code(dit_text *out, int64_t code);
int dit_windows_1252(int code);

#endif
