// text/normalize.c: normal forms from utf8proc, and the small steps around them.
#define _GNU_SOURCE // memmem
#include "text/normalize.h"
#include "base/arena.h"
#include "text/byte_level.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

bool dit_text_append(dit_text *text, const char *bytes, size_t size)
{
    if (!dit_grow(&text->bytes, &text->room, text->size + size + 1, 1))
        return false;
    if (size)
        memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    text->bytes[text->size] = 0;
    return true;
}

static dit_status no_memory(dit_error *error)
{
    return dit_fail(error, DIT_NO_MEMORY, "no memory to normalise a text");
}

static void take_over(dit_text *text, dit_text made)
{
    free(text->bytes);
    *text = made;
}

// Appends the normal form of a part; false when memory is out.
static bool append_form(dit_text *to, const char *text, size_t size, dit_normal form)
{
    static const int options[] = {
        [DIT_NORMAL_NFC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE,
        [DIT_NORMAL_NFD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE,
        [DIT_NORMAL_NFKC] = UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE,
        [DIT_NORMAL_NFKD] = UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE,
    };
    utf8proc_uint8_t *result = NULL;
    utf8proc_ssize_t n =
        utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)size, &result, (utf8proc_option_t)options[form]);
    bool fits = n >= 0 && dit_text_append(to, (char *)result, (size_t)n); // the text is valid: nothing else can fail
    free(result);
    return fits;
}

// The normal form of the parts between characters that the reference does not know: to it they are like letters, which
// nothing combines with.
static dit_status normal_form(dit_text *text, const dit_normal_step *step, dit_error *error)
{
    dit_text made = {0};
    size_t part = 0;
    bool fits = dit_text_append(&made, "", 0);
    for (size_t at = 0; at < text->size && fits;) {
        dit_character c = dit_character_at(text->bytes + at, text->size - at);
        if (!step->newest && dit_keeps_its_form(c.code)) {
            fits = append_form(&made, text->bytes + part, at - part, step->kind) &&
                   dit_text_append(&made, text->bytes + at, c.size);
            part = at + c.size;
        }
        at += c.size;
    }
    if (!fits || !append_form(&made, text->bytes + part, text->size - part, step->kind)) {
        free(made.bytes);
        return no_memory(error);
    }
    take_over(text, made);
    return DIT_OK;
}

// ---- Character by character

static bool nmt_drops(int c)
{
    return (c >= 0x01 && c <= 0x08) || c == 0x0b || (c >= 0x0e && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f;
}

static bool nmt_is_space(int c)
{
    return c == 0x09 || c == 0x0a || c == 0x0c || c == 0x0d || c == 0x1680 || (c >= 0x200b && c <= 0x200f) ||
           c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd;
}

// The small letter of a character. Those of Unicode 16 and 17 are added: the reference knows them, utf8proc may not.
static int small_letter(int code)
{
    static const struct {
        int first, last, small; // `small` is the first one's
    } pairs[] = {{0x1c89, 0x1c89, 0x1c8a},   {0xa7cb, 0xa7cb, 0x0264}, {0xa7cc, 0xa7cc, 0xa7cd},
                 {0xa7ce, 0xa7ce, 0xa7cf},   {0xa7d2, 0xa7d2, 0xa7d3}, {0xa7d4, 0xa7d4, 0xa7d5},
                 {0xa7da, 0xa7da, 0xa7db},   {0xa7dc, 0xa7dc, 0x019b}, {0x10d50, 0x10d65, 0x10d70},
                 {0x16ea0, 0x16eb8, 0x16ebb}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs && code >= pairs[i].first; i++)
        if (code <= pairs[i].last)
            return code - pairs[i].first + pairs[i].small;
    return utf8proc_tolower(code);
}

// Writes what stands for a character, at most 8 bytes; returns how many.
static size_t convert(dit_normal kind, dit_character c, const char *from, char *to)
{
    bool spaced = false;
    switch (kind) {
    case DIT_NORMAL_LOWERCASE:
        if (c.code == 0x130) { // I with a dot: the one letter whose small form is two characters, i and U+0307
            memcpy(to, "i\xcc\x87", 3);
            return 3;
        }
        return dit_character_write(small_letter(c.code), to);
    case DIT_NORMAL_STRIP_MARKS:
        c.size = dit_is_accent(c.code) ? 0 : c.size;
        break;
    case DIT_NORMAL_STRIP_NONSPACING:
        c.size = dit_is_nonspacing_mark(c.code) ? 0 : c.size;
        break;
    case DIT_NORMAL_CLEAN:
        if (dit_is_space(c.code) && (c.code == '\t' || c.code == '\n' || c.code == '\r' || !dit_is_control(c.code))) {
            *to = ' ';
            return 1;
        }
        c.size = c.code == 0 || c.code == 0xfffd || dit_is_control(c.code) ? 0 : c.size;
        break;
    case DIT_NORMAL_SPACE_IDEOGRAPHS:
        spaced = dit_is_ideograph(c.code);
        break;
    case DIT_NORMAL_NMT:
        if (nmt_is_space(c.code)) {
            *to = ' ';
            return 1;
        }
        c.size = nmt_drops(c.code) ? 0 : c.size;
        break;
    default:
        break;
    }
    if (spaced)
        *to++ = ' ';
    memcpy(to, from, c.size);
    if (spaced)
        to[c.size] = ' ';
    return c.size + (spaced ? 2 : 0);
}

static dit_status convert_all(dit_text *text, dit_normal kind, dit_error *error)
{
    dit_text made = {0};
    char written[16];
    for (size_t at = 0; at < text->size;) {
        dit_character c = dit_character_at(text->bytes + at, text->size - at);
        if (!dit_text_append(&made, written, convert(kind, c, text->bytes + at, written))) {
            free(made.bytes);
            return no_memory(error);
        }
        at += c.size;
    }
    if (!dit_text_append(&made, "", 0))
        return no_memory(error);
    take_over(text, made);
    return DIT_OK;
}

static dit_status bytes_to_text(dit_text *text, dit_error *error)
{
    dit_text made = {0};
    char written[4];
    bool fits = dit_text_append(&made, "", 0);
    for (size_t at = 0; at < text->size && fits; at++) {
        dit_byte_to_text((uint8_t)text->bytes[at], written);
        fits = dit_text_append(&made, written, strlen(written));
    }
    if (!fits) {
        free(made.bytes);
        return no_memory(error);
    }
    take_over(text, made);
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
        dit_character c = dit_last_character(text->bytes, text->size);
        if (!dit_is_space(c.code))
            break;
        text->size -= c.size;
    }
    text->bytes[text->size] = 0;
}

// ---- Replacing

static dit_status prepend(dit_text *text, const dit_normal_step *step, dit_error *error)
{
    size_t size = text->size;
    if (size == 0)
        return DIT_OK;
    if (!dit_text_append(text, step->content, step->content_size))
        return no_memory(error);
    memmove(text->bytes + step->content_size, text->bytes, size);
    memcpy(text->bytes, step->content, step->content_size);
    return DIT_OK;
}

// The next place where the literal text `find` stands, as a regex would give it.
static void find_text(const dit_text *text, const dit_normal_step *step, dit_match *match)
{
    size_t start = match->found ? match->to[0] : 0;
    const char *found =
        step->find_size ? memmem(text->bytes + start, text->size - start, step->find, step->find_size) : NULL;
    match->found = found != NULL;
    if (found) {
        match->from[0] = (size_t)(found - text->bytes);
        match->to[0] = match->from[0] + step->find_size;
    }
}

static dit_status replace(dit_text *text, const dit_normal_step *step, dit_error *error)
{
    enum { LONGEST = 1 << 28 }; // a hostile file multiplies a text
    dit_text made = {0};
    dit_match match = {0};
    dit_status status = DIT_OK;
    size_t done = 0;
    bool fits = dit_text_append(&made, "", 0);
    while (fits && !status) {
        if (step->regex)
            status = dit_regex_next(step->regex, text->bytes, text->size, &match, error);
        else
            find_text(text, step, &match);
        if (status || !match.found)
            break;
        fits = made.size < LONGEST && dit_text_append(&made, text->bytes + done, match.from[0] - done) &&
               dit_text_append(&made, step->content, step->content_size);
        done = match.to[0];
    }
    fits = fits && dit_text_append(&made, text->bytes + done, text->size - done);
    if (!fits || status) {
        free(made.bytes);
        return status ? status : no_memory(error);
    }
    take_over(text, made);
    return DIT_OK;
}

// Bytes of the first extended grapheme cluster (Unicode Standard Annex 29).
static size_t grapheme_length(const char *text, size_t size)
{
    dit_character c = dit_character_at(text, size), next;
    utf8proc_int32_t state = 0;
    size_t at = c.size;
    for (; at < size; at += next.size, c = next) {
        next = dit_character_at(text + at, size - at);
        if (utf8proc_grapheme_break_stateful(c.code, next.code, &state))
            break;
    }
    return at;
}

// A short grapheme is looked up whole, and otherwise its characters one by one.
static bool append_mapped(dit_text *made, const dit_charsmap *map, const char *text, size_t size)
{
    enum { SHORT = 6 };
    const char *found = size < SHORT ? dit_charsmap_find(map, text, size) : NULL;
    if (found)
        return dit_text_append(made, found, strlen(found));
    for (size_t at = 0, n; at < size; at += n) {
        n = dit_character_at(text + at, size - at).size;
        found = dit_charsmap_find(map, text + at, n);
        if (!dit_text_append(made, found ? found : text + at, found ? strlen(found) : n))
            return false;
    }
    return true;
}

static dit_status apply_charsmap(dit_text *text, const dit_charsmap *map, dit_error *error)
{
    dit_text made = {0};
    bool fits = dit_text_append(&made, "", 0);
    for (size_t at = 0, n; at < text->size && fits; at += n) {
        n = grapheme_length(text->bytes + at, text->size - at);
        fits = append_mapped(&made, map, text->bytes + at, n);
    }
    if (!fits) {
        free(made.bytes);
        return no_memory(error);
    }
    take_over(text, made);
    return DIT_OK;
}

static dit_status apply(dit_text *text, const dit_normal_step *step, dit_error *error)
{
    switch (step->kind) {
    case DIT_NORMAL_NFC:
    case DIT_NORMAL_NFD:
    case DIT_NORMAL_NFKC:
    case DIT_NORMAL_NFKD:
        return normal_form(text, step, error);
    case DIT_NORMAL_STRIP_LEFT:
        strip_left(text);
        return DIT_OK;
    case DIT_NORMAL_STRIP_RIGHT:
        strip_right(text);
        return DIT_OK;
    case DIT_NORMAL_BYTES:
        return bytes_to_text(text, error);
    case DIT_NORMAL_PREPEND:
        return prepend(text, step, error);
    case DIT_NORMAL_REPLACE:
        return replace(text, step, error);
    case DIT_NORMAL_CHARSMAP:
        return apply_charsmap(text, step->map, error);
    default:
        return convert_all(text, step->kind, error);
    }
}

dit_status dit_text_normalize(const char *text, size_t size, const dit_normal_step *steps, int count, dit_text *out,
                              dit_error *error)
{
    dit_text result = {0};
    dit_status status = dit_text_append(&result, text, size) ? DIT_OK : no_memory(error);
    for (int i = 0; i < count && !status; i++)
        status = apply(&result, &steps[i], error);
    if (status)
        free(result.bytes);
    else
        *out = result;
    return status;
}
