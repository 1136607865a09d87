// text/byte_level.c: splitting text into words, and the visible alphabet of bytes.
#include "text/byte_level.h"
#include "text/normalize.h"
#include <string.h>
#include <utf8proc.h>

enum kind { LETTER, NUMBER, SIGN, SPACE };

static enum kind kind_of(int code)
{
    if (dit_is_space(code))
        return SPACE;
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return NUMBER;
    default:
        return SIGN;
    }
}

static size_t contraction_length(const char *text, size_t size)
{
    static const char *const endings[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t n = strlen(endings[i]);
        if (n <= size && !memcmp(text, endings[i], n))
            return n;
    }
    return 0;
}

// Bytes of the characters of one kind at the start of the text; *last is the size of the last one.
static size_t run_length(const char *text, size_t size, enum kind kind, size_t *last)
{
    size_t at = 0;
    while (at < size) {
        dit_character c = dit_character_at(text + at, size - at);
        if (kind_of(c.code) != kind)
            break;
        at += *last = c.size;
    }
    return at;
}

size_t dit_word_length(const char *text, size_t size)
{
    size_t last, n = contraction_length(text, size), space = text[0] == ' ' && size > 1;
    if (n)
        return n;
    enum kind kind = kind_of(dit_character_at(text + space, size - space).code);
    if (kind != SPACE)
        return space + run_length(text + space, size - space, kind, &last);
    n = run_length(text, size, SPACE, &last);
    return n == size || n == last ? n : n - last;
}

// Is the byte written as itself?
static bool is_visible(int byte)
{
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

static int code_of(int byte)
{
    int code = 0x100;
    if (is_visible(byte))
        return byte;
    for (int b = 0; b < byte; b++)
        code += !is_visible(b);
    return code;
}

void dit_byte_to_text(uint8_t byte, char text[4])
{
    utf8proc_ssize_t n = utf8proc_encode_char(code_of(byte), (utf8proc_uint8_t *)text);
    text[n] = 0;
}
