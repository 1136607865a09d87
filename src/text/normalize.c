// text/normalize.c: normal forms from utf8proc, and the small steps around them.
#include "text/normalize.h"
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

dit_character dit_character_at(const char *text, size_t size)
{
    utf8proc_int32_t code;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)size, &code);
    return n > 0 ? (dit_character){code, (size_t)n} : (dit_character){0xfffd, 1};
}

bool dit_is_space(int c)
{
    return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

dit_status dit_text_check(const char *text, size_t size, const char *what, dit_error *error)
{
    for (size_t at = 0; at < size;) {
        utf8proc_int32_t code;
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(size - at), &code);
        if (n <= 0)
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s is not UTF-8: byte %zu is 0x%02x", what, at + 1,
                            (unsigned char)text[at]);
        at += (size_t)n;
    }
    return DIT_OK;
}

static dit_status no_memory(dit_error *error)
{
    return dit_fail(error, DIT_NO_MEMORY, "no memory to normalise a text");
}

static dit_status normal_form(dit_text *text, dit_normal form, dit_error *error)
{
    static const int options[] = {
        [DIT_NORMAL_NFC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE,
        [DIT_NORMAL_NFD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE,
        [DIT_NORMAL_NFKC] = UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE,
        [DIT_NORMAL_NFKD] = UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE,
    };
    utf8proc_uint8_t *result = NULL;
    utf8proc_ssize_t size = utf8proc_map((const utf8proc_uint8_t *)text->bytes, (utf8proc_ssize_t)text->size, &result,
                                         (utf8proc_option_t)options[form]);
    if (size < 0)
        return no_memory(error); // the text is valid, so nothing else can go wrong
    free(text->bytes);
    *text = (dit_text){(char *)result, (size_t)size};
    return DIT_OK;
}

static dit_status lowercase(dit_text *text, dit_error *error)
{
    // Two bytes of capitals may become three (U+023A), none becomes more than half as long again.
    char *result = malloc(text->size + text->size / 2 + 4);
    size_t size = 0;
    if (!result)
        return no_memory(error);
    for (size_t at = 0; at < text->size;) {
        dit_character c = dit_character_at(text->bytes + at, text->size - at);
        if (c.code == 0x130) { // I with a dot: the one letter whose small form is two characters, i and U+0307
            memcpy(result + size, "i\xcc\x87", 3);
            size += 3;
        } else
            size += (size_t)utf8proc_encode_char(utf8proc_tolower(c.code), (utf8proc_uint8_t *)result + size);
        at += c.size;
    }
    result[size] = 0;
    free(text->bytes);
    *text = (dit_text){result, size};
    return DIT_OK;
}

static void strip_left(dit_text *text)
{
    size_t at = 0;
    while (at < text->size) {
        dit_character c = dit_character_at(text->bytes + at, text->size - at);
        if (!dit_is_space(c.code))
            break;
        at += c.size;
    }
    text->size -= at;
    memmove(text->bytes, text->bytes + at, text->size + 1);
}

static void strip_right(dit_text *text)
{
    while (text->size > 0) {
        size_t at = text->size - 1;
        while (at > 0 && ((unsigned char)text->bytes[at] & 0xc0) == 0x80)
            at--;
        if (!dit_is_space(dit_character_at(text->bytes + at, text->size - at).code))
            break;
        text->size = at;
    }
    text->bytes[text->size] = 0;
}

dit_status dit_text_normalize(const char *text, size_t size, const dit_normal *steps, int count, dit_text *out,
                              dit_error *error)
{
    dit_text result = {malloc(size + 1), size};
    dit_status status = result.bytes ? DIT_OK : no_memory(error);
    if (!status) {
        memcpy(result.bytes, text, size);
        result.bytes[size] = 0;
    }
    for (int i = 0; i < count && !status; i++)
        switch (steps[i]) {
        case DIT_NORMAL_LOWERCASE:
            status = lowercase(&result, error);
            break;
        case DIT_NORMAL_STRIP_LEFT:
            strip_left(&result);
            break;
        case DIT_NORMAL_STRIP_RIGHT:
            strip_right(&result);
            break;
        default:
            status = normal_form(&result, steps[i], error);
        }
    if (status)
        free(result.bytes);
    else
        *out = result;
    return status;
}
