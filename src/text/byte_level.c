// text/byte_level.c: splitting text into words, and the visible alphabet of bytes.
#include "text/byte_level.h"
#include "text/character.h"
#include <string.h>

enum kind { LETTER, NUMBER, SIGN, SPACE };

static enum kind kind_of(int code)
{
    return dit_is_space(code) ? SPACE : dit_is_letter(code) ? LETTER : dit_is_number(code) ? NUMBER : SIGN;
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

static int code_of(int byte)
{
    if (byte <= 0x20)
        return 0x100 + byte;
    if (byte >= 0x7f && byte <= 0xa0)
        return 0x121 + byte - 0x7f;
    return byte == 0xad ? 0x143 : byte;
}

void dit_byte_to_text(uint8_t byte, char text[4])
{
    text[dit_character_write(code_of(byte), text)] = 0;
}
