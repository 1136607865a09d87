// text/html.c: character references.
#include "text/html.h"
#include "text/html_private.h"
#include <stdlib.h>
#include <string.h>

static const struct entity {
    const char *name, *text;
    bool without_semicolon;
} entities[] = {
#define E(name, text, without_semicolon) {#name, text, without_semicolon},
#include "text/html_entities.def"
#undef E
};

struct name {
    const char *text;
    size_t size;
};

static int compare(const void *key, const void *item)
{
    const struct name *name = key;
    const struct entity *e = item;
    int order = strncmp(name->text, e->name, name->size);
    return order ? order : e->name[name->size] ? -1 : 0;
}

const char *dit_html_entity(const char *name, size_t size, bool *without_semicolon)
{
    struct name key = {name, size};
    const struct entity *e =
        size ? bsearch(&key, entities, sizeof entities / sizeof *entities, sizeof *entities, compare) : NULL;
    if (e && without_semicolon)
        *without_semicolon = e->without_semicolon;
    return e ? e->text : NULL;
}

int dit_windows_1252(int code)
{
    static const unsigned short table[32] = {0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021,
                                             0x2c6,  0x2030, 0x160,  0x2039, 0x152,  0x8d,   0x17d,  0x8f,
                                             0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                             0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178};
    return code >= 0x80 && code <= 0x9f ? table[code - 0x80] : code;
}

bool dit_html_append_code(dit_text *out, int64_t code)
{
    char text[4];
    bool none = code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff);
    return dit_text_append(out, text, dit_character_write(none ? 0xfffd : dit_windows_1252((int)code), text));
}

static int digit_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : 16;
}

size_t dit_html_number(const char *text, size_t size, int64_t *code)
{
    size_t start = 0, at;
    int base = 10;
    if (size > 0 && (*text == 'x' || *text == 'X')) {
        start = 1;
        base = 16;
    }
    *code = 0;
    for (at = start; at < size && digit_value(text[at]) < base; at++)
        *code = *code > 0x10ffff ? *code : *code * base + digit_value(text[at]);
    return at > start ? at : 0;
}

// Code points that HTML forbids, and Python leaves out.
static bool is_left_out(int64_t c)
{
    return (c >= 0x01 && c <= 0x08) || c == 0x0b || (c >= 0x0e && c <= 0x1f) || c == 0x7f ||
           (c >= 0xfdd0 && c <= 0xfdef) || ((c & 0xfffe) == 0xfffe && c <= 0x10ffff);
}

// A numeric reference after "&#". Returns its size, 0 when it is none.
static size_t unescape_number(const char *text, size_t size, bool only_terminated, dit_text *out, bool *fits)
{
    int64_t code;
    size_t n = dit_html_number(text, size, &code);
    bool terminated = n > 0 && n < size && text[n] == ';';
    if (!n || (only_terminated && !terminated))
        return 0;
    if (!is_left_out(code))
        *fits = dit_html_append_code(out, code);
    return n + terminated;
}

// A named reference after "&".
static size_t unescape_name(const char *text, size_t size, bool only_terminated, dit_text *out, bool *fits)
{
    enum { LONGEST = 32 };
    bool without = true;
    size_t n = 0;
    if (only_terminated)
        while (n < size && n <= 24 &&
               ((text[n] | 32) >= 'a' ? (text[n] | 32) <= 'z' : text[n] >= '0' && text[n] <= '9'))
            n++;
    else
        for (size_t characters = 0;
             n < size && characters < LONGEST && !strchr("\t\n\f <&#;", text[n] ? text[n] : '\t'); characters++)
            n += dit_character_at(text + n, size - n).size;
    bool terminated = n < size && text[n] == ';';
    const char *found = terminated ? dit_html_entity(text, n, NULL) : NULL;
    size_t taken = n + 1;
    // The longest name that is known without a semicolon, of two letters at least.
    for (size_t shorter = n; !found && !only_terminated && shorter > 1; shorter--) {
        found = dit_html_entity(text, shorter, &without);
        found = found && without ? found : NULL;
        taken = shorter;
    }
    if (!found)
        return 0;
    *fits = dit_text_append(out, found, strlen(found));
    return taken;
}

bool dit_html_unescape(const char *text, size_t size, bool only_terminated, dit_text *out)
{
    bool fits = dit_text_append(out, "", 0);
    for (size_t at = 0; at < size && fits;) {
        const char *and = memchr(text + at, '&', size - at);
        size_t plain = and? (size_t)(and-text) - at : size - at, taken;
        fits = dit_text_append(out, text + at, plain);
        at += plain;
        if (at == size || !fits)
            break;
        const char *name = text + at + 1;
        size_t left = size - at - 1;
        taken = left > 0 && *name == '#' ? unescape_number(name + 1, left - 1, only_terminated, out, &fits)
                                         : unescape_name(name, left, only_terminated, out, &fits);
        taken += taken > 0 && *name == '#';
        fits = fits && (taken > 0 || dit_text_append(out, "&", 1));
        at += 1 + taken;
    }
    return fits;
}
