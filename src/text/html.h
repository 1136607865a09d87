// text/html.h: text out of HTML: character references, and markup left away.
#ifndef DIT_TEXT_HTML_H
#define DIT_TEXT_HTML_H

#include "text/normalize.h"

// Character references become characters: all of them, by the rules of HTML 5 (Python's html.unescape), or only those
// with a semicolon at their end, which nobody writes by accident (ftfy's unescape_html). `text` is valid UTF-8; *out is
// appended to. False when memory is out.
bool dit_html_unescape(const char *text, size_t size, bool only_terminated, dit_text *out);

// What a reader sees of a page: tags, comments and declarations go, and so does what is inside of script, style,
// template and ruby annotations; character references become characters. Malformed markup is read as Beautiful Soup
// reads it with Python's html.parser. False when memory is out.
bool dit_html_text(const char *text, size_t size, dit_text *out);

#endif
