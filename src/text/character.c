// text/character.c: classes of characters from utf8proc, and what differs in the tables of the reference.
#include "text/character.h"
#include "text/character_newest.h"
#include "text/character_tables.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

dit_character dit_character_at(const char *text, size_t size)
{
    utf8proc_int32_t code;
    if ((unsigned char)*text < 0x80)
        return (dit_character){(unsigned char)*text, 1};
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)size, &code);
    return n > 0 ? (dit_character){code, (size_t)n} : (dit_character){0xfffd, 1};
}

dit_character dit_last_character(const char *text, size_t size)
{
    size_t at = size - 1;
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return dit_character_at(text + at, size - at);
}

size_t dit_character_write(int code, char *text)
{
    return (size_t)utf8proc_encode_char(code, (utf8proc_uint8_t *)text);
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

// Bytes at the start of `text`, which is no character, that could begin one: they are broken together.
static size_t broken_length(const unsigned char *text, size_t size)
{
    unsigned char lead = text[0], least = 0x80, most = 0xbf;
    size_t wanted = lead >= 0xc2 && lead <= 0xdf ? 2 : (lead & 0xf0) == 0xe0 ? 3 : lead >= 0xf0 && lead <= 0xf4 ? 4 : 1;
    least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : least; // no longer form than needed
    most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : most;   // no surrogate, nothing above U+10FFFF
    size_t n = 1;
    for (; n < wanted && n < size && text[n] >= least && text[n] <= most; n++)
        least = 0x80, most = 0xbf;
    return n;
}

dit_status dit_text_repair(const char *text, size_t size, char **result, size_t *result_size, dit_error *error)
{
    char *out = size <= SIZE_MAX / 3 - 1 ? malloc(3 * size + 1) : NULL;
    size_t to = 0;
    if (!out)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for a text of %zu bytes", size);
    for (size_t at = 0; at < size;) {
        utf8proc_int32_t code;
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(size - at), &code);
        if (n > 0) {
            memcpy(out + to, text + at, (size_t)n);
            to += (size_t)n;
            at += (size_t)n;
        } else {
            to += dit_character_write(0xfffd, out + to);
            at += broken_length((const unsigned char *)text + at, size - at);
        }
    }
    out[to] = 0;
    *result = out;
    *result_size = to;
    return DIT_OK;
}

// ---- Classes

static bool in_ranges(int code, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count && ranges[i].first <= code; i++)
        if (code <= ranges[i].last)
            return true;
    return false;
}
#define IN(code, ranges) in_ranges(code, ranges, sizeof(ranges) / sizeof *(ranges))

// The row of a character of Unicode 15 or 16, or NULL.
static const struct newest *find_newest(int code)
{
    size_t low = 0, high = sizeof newest / sizeof *newest;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > newest[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sizeof newest / sizeof *newest && code >= newest[low].first ? &newest[low] : NULL;
}

// The category that Unicode 16 gives.
static utf8proc_category_t newest_category(int code)
{
    const struct newest *row = find_newest(code);
    return row ? row->category : utf8proc_category(code);
}

void dit_text_stand_in(char *text, size_t size)
{
    dit_character c;
    for (size_t at = 0; at < size; at += c.size) {
        c = dit_character_at(text + at, size - at);
        const struct newest *row = c.code < newest[0].first ? NULL : find_newest(c.code);
        for (size_t i = 0; row && i < sizeof stands_in / sizeof *stands_in; i++)
            if (stands_in[i].category == row->category)
                dit_character_write(c.size == 3 ? stands_in[i].of_three : stands_in[i].of_four, text + at);
    }
}

bool dit_is_space(int c)
{
    return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool dit_is_letter(int code)
{
    utf8proc_category_t category = newest_category(code);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool dit_is_number(int code)
{
    utf8proc_category_t category = newest_category(code);
    return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool dit_is_word(int code)
{
    // Alphabetic characters of category So: circled and squared letters.
    static const struct range letters[] = {
        {0x24b6, 0x24e9}, {0x1f130, 0x1f149}, {0x1f150, 0x1f169}, {0x1f170, 0x1f189}};
    utf8proc_category_t category = newest_category(code);
    return dit_is_letter(code) || (category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME) ||
           category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_PC ||
           code == 0x200c || code == 0x200d || IN(code, letters);
}

bool dit_is_punctuation(int code)
{
    if (code < 0x80)
        return (code > ' ' && code < '0') || (code > '9' && code < 'A') || (code > 'Z' && code < 'a') ||
               (code > 'z' && code < 0x7f);
    utf8proc_category_t category = utf8proc_category(code);
    return (category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO) != IN(code, other_punctuation);
}

bool dit_is_control(int code)
{
    utf8proc_category_t category = utf8proc_category(code);
    return (category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF || category == UTF8PROC_CATEGORY_CO) !=
           IN(code, other_control);
}

bool dit_is_mark(int code)
{
    utf8proc_category_t category = utf8proc_category(code);
    return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

bool dit_is_nonspacing_mark(int code)
{
    return (utf8proc_category(code) == UTF8PROC_CATEGORY_MN) != IN(code, other_nonspacing);
}

bool dit_is_accent(int code)
{
    return dit_is_mark(code) != IN(code, other_marks);
}

bool dit_keeps_its_form(int code)
{
    return code >= unknown_to_normal_forms[0].first && IN(code, unknown_to_normal_forms);
}

bool dit_is_ideograph(int code)
{
    static const struct range blocks[] = {{0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xf900, 0xfaff},
                                          {0x20000, 0x2a6df}, {0x2a700, 0x2b73f}, {0x2b740, 0x2b81f},
                                          {0x2b920, 0x2ceaf}, {0x2f800, 0x2fa1f}};
    return IN(code, blocks);
}
