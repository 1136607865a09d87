// text/clean.c: the rules for captions as a table, and the steps between them that are no replacements. Expressions are
// Python's, in whose Unicode \w is letters, numbers and the underscore, and \s has the separators U+001C to U+001F.
#define _GNU_SOURCE // memmem
#include "text/clean.h"
#include "text/html.h"
#include "text/html_private.h"
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define WORD "\\p{L}\\p{N}_"
#define SPACE "\\t-\\r\\x1c-\\x20\\x85\\xa0\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define W "[" WORD "]"
#define S "[" SPACE "]"
#define D "\\p{Nd}"
#define EDGE "(?:(?<=" W ")(?!" W ")|(?<!" W ")(?=" W "))" // \b
#define HOSTS "[a-zA-Z0-9.\\-]+[.](?:com|co|ru|net|org|edu|gov|it)[" WORD "/-]*" EDGE "/?(?!@)"
#define FILES "(?:png|jpg|jpeg|bmp|webp|eps|pdf|apk|mp4)"

// `with` stands for every match; "\1" in it for the first parentheses.
struct rule {
    const char *pattern, *with;
    size_t least; // how often it must match to be applied
};

static const struct rule before_markup[] = {
    {"<person>", "person", 0},
    {EDGE "(?:https?:(?:/{1,3}|[a-zA-Z0-9%])|" HOSTS ")", "", 0},
    {EDGE "(?:www:(?:/{1,3}|[a-zA-Z0-9%])|" HOSTS ")", "", 0},
};

static const struct rule before_repair[] = {
    {"@[" WORD "]+" EDGE, "", 0},                         // @nickname
    {"[\\x{31c0}-\\x{4dff}\\x{4e00}-\\x{9fff}]+", "", 0}, // CJK strokes, compatibility forms, hexagrams, ideographs
    {"[\\x2d\\x{58a}\\x{5be}\\x{1400}\\x{1806}\\x{2010}-\\x{2015}\\x{2e17}\\x{2e1a}\\x{2e3a}\\x{2e3b}\\x{2e40}\\x{301c}"
     "\\x{3030}\\x{30a0}\\x{fe31}\\x{fe32}\\x{fe58}\\x{fe63}\\x{ff0d}]+",
     "-", 0}, // every kind of dash
    {"[`\\xb4\\xab\\xbb\\x{201c}\\x{201d}\\xa8]", "\"", 0},
    {"[\\x{2018}\\x{2019}]", "'", 0},
    {"&quot;?", "", 0},
    {"&amp", "", 0},
    {D "{1,3}\\." D "{1,3}\\." D "{1,3}\\." D "{1,3}", " ", 0}, // addresses of machines
    {D ":" D D S "+$", "", 0},                                  // article numbers
    {"\\\\n", " ", 0},
    {"#" D "{1,3}" EDGE, "", 0},
    {"#" D "{5,}" EDGE, "", 0},
    {EDGE D "{6,}" EDGE, "", 0},
    {"[^" SPACE "]+\\." FILES, "", 0}, // file names
    {"[\"']{2,}", "\"", 0},
    {"[.]{2,}", " ", 0},
    {"[#\\xae\\x{2022}\\xa9\\x{2122}&@\\xb7\\xba\\xbd\\xbe\\xbf\\xa1\\xa7~)(\\]\\[}{|\\\\/*]+", " ", 0},
    {S "+\\." S "+", " ", 0},
    {"[-_]", " ", 4}, // this-is-my-cute-cat
};

static const struct rule after_repair[] = {
    {EDGE "[a-zA-Z]{1,3}" D "{3,15}" EDGE, "", 0}, // jc6640
    {EDGE "[a-zA-Z]+" D "+[a-zA-Z]+" EDGE, "", 0}, // jc6640vc
    {EDGE D "+[a-zA-Z]+" D "+" EDGE, "", 0},       // 6640vc231
    {"(?:worldwide" S "+)?(?:free" S "+)?shipping", "", 0},
    {"(?:free" S ")?download(?:" S "free)?", "", 0},
    {EDGE "click" EDGE S "(?:for|on)" S W "+", "", 0},
    {EDGE FILES "(?:" S "image[s]?)?", "", 0},
    {EDGE "page" S "+" D "+" EDGE, "", 0},
    {EDGE D "*[a-zA-Z]+" D "+[a-zA-Z]+" D "+[a-zA-Z\\p{Nd}]*" EDGE, " ", 0}, // j2d1a2a
    {EDGE D "+\\.?" D "*[x\\x{445}\\xd7]" D "+\\.?" D "*" EDGE, "", 0},      // 1024x768
    {EDGE S "+:" S "+", ": ", 0},
    {"([^\\p{Nd}][,./])" EDGE, "\\1 ", 0},
    {S "+", " ", 0},
    {"^[\"']((?s:.)+)[\"']$", "\\1", 0},
    {"^['_,\\-:;]", "", 0},
    {"['_,\\-:+]$", "", 0},
    {"^\\.[^" SPACE "]+$", "", 0},
};

static dit_status no_memory(dit_error *error)
{
    return dit_fail(error, DIT_NO_MEMORY, "no memory to clean a prompt");
}

static void take_over(dit_text *text, dit_text made)
{
    free(text->bytes);
    *text = made;
}

// ---- Replacements

// Whether the rule matches as often as it must.
static bool is_wanted(const struct rule *rule, const dit_regex *regex, const dit_text *text, dit_error *error)
{
    dit_match match = {0};
    size_t count = 0;
    while (count < rule->least && !dit_regex_next(regex, text->bytes, text->size, &match, error) && match.found)
        count++;
    return !error->status && count == rule->least;
}

static dit_status replace(const struct rule *rule, const dit_regex *regex, dit_text *text, dit_error *error)
{
    dit_text made = {0};
    dit_match match = {0};
    size_t done = 0;
    bool keeps = rule->with[0] == '\\';
    const char *with = keeps ? rule->with + 2 : rule->with;
    bool fits = dit_text_append(&made, "", 0);
    while (fits && !dit_regex_next(regex, text->bytes, text->size, &match, error) && match.found) {
        fits = dit_text_append(&made, text->bytes + done, match.from[0] - done);
        if (keeps && fits)
            fits = dit_text_append(&made, text->bytes + match.from[1], match.to[1] - match.from[1]);
        fits = fits && dit_text_append(&made, with, strlen(with));
        done = match.to[0];
    }
    fits = fits && dit_text_append(&made, text->bytes + done, text->size - done);
    if (!fits)
        no_memory(error);
    if (error->status)
        free(made.bytes);
    else
        take_over(text, made);
    return error->status;
}

static dit_status apply_rules(const struct rule *rules, size_t count, dit_text *text, dit_error *error)
{
    for (size_t i = 0; i < count && !error->status; i++) {
        dit_regex *regex;
        if (dit_regex_compile(&regex, rules[i].pattern, strlen(rules[i].pattern), 0, error))
            return error->status;
        if (is_wanted(&rules[i], regex, text, error))
            replace(&rules[i], regex, text, error);
        dit_regex_free(regex);
    }
    return error->status;
}
#define APPLY(rules, text, error) apply_rules(rules, sizeof(rules) / sizeof *(rules), text, error)

// ---- Lower case

static bool is_python_space(int c)
{
    return dit_is_space(c) || (c >= 0x1c && c <= 0x1f);
}

static void strip(dit_text *text)
{
    size_t start = 0;
    while (text->size > 0 && is_python_space(dit_last_character(text->bytes, text->size).code))
        text->size -= dit_last_character(text->bytes, text->size).size;
    while (start < text->size && is_python_space(dit_character_at(text->bytes + start, text->size - start).code))
        start += dit_character_at(text->bytes + start, text->size - start).size;
    text->size -= start;
    memmove(text->bytes, text->bytes + start, text->size);
    text->bytes[text->size] = 0;
}

// Unicode's rule for the small sigma at the end of a word (The Unicode Standard, table 3-17): a letter with case is
// before it and none after it, whatever signs that do not matter are between.
static bool is_final_sigma(const dit_regex *ends, const dit_regex *goes_on, const char *text, size_t size, size_t at,
                           dit_error *error)
{
    dit_match before = {0}, after = {0};
    size_t start = at;
    for (size_t n = 0; start > 0 && n < 64; n++) // as far back as signs that do not matter may reach
        start -= dit_last_character(text, start).size;
    dit_regex_find(ends, text + start, at - start, 0, &before, error);
    dit_regex_find(goes_on, text + at + 2, size - at - 2, 0, &after, error);
    return before.found && !after.found;
}

static dit_status lower(dit_text *text, dit_error *error)
{
    static const char ends[] = "(?=\\p{Cased})\\P{Case_Ignorable}\\p{Case_Ignorable}*$(?!\\n)";
    static const char goes_on[] = "^\\p{Case_Ignorable}*(?=\\P{Case_Ignorable})\\p{Cased}";
    dit_normal_step step = {.kind = DIT_NORMAL_LOWERCASE};
    dit_regex *before = NULL, *after = NULL;
    dit_text made;
    const char sigma[] = "\u03a3";
    if (memmem(text->bytes, text->size, sigma, 2) && !dit_regex_compile(&before, ends, strlen(ends), 0, error) &&
        !dit_regex_compile(&after, goes_on, strlen(goes_on), 0, error))
        for (size_t at = 0; at + 1 < text->size && !error->status; at++)
            if (!memcmp(text->bytes + at, sigma, 2) &&
                is_final_sigma(before, after, text->bytes, text->size, at, error))
                memcpy(text->bytes + at, "\u03c2", 2);
    dit_regex_free(before);
    dit_regex_free(after);
    if (!error->status && !dit_text_normalize(text->bytes, text->size, &step, 1, &made, error))
        take_over(text, made);
    return error->status;
}

// ---- %20 and +

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

// A run of ASCII: "+" is a space, "%41" a byte; what the bytes are as UTF-8.
static bool unquote_run(const char *text, size_t size, dit_text *out, dit_error *error)
{
    dit_text bytes = {0};
    char *repaired;
    size_t repaired_size;
    bool fits = dit_text_append(&bytes, "", 0);
    for (size_t i = 0; i < size && fits; i++) {
        bool quoted = text[i] == '%' && i + 2 < size && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0;
        char c = quoted ? (char)(hex(text[i + 1]) << 4 | hex(text[i + 2])) : text[i] == '+' ? ' ' : text[i];
        fits = dit_text_append(&bytes, &c, 1);
        i += quoted ? 2 : 0;
    }
    if (fits && !dit_text_repair(bytes.bytes, bytes.size, &repaired, &repaired_size, error)) {
        fits = dit_text_append(out, repaired, repaired_size);
        free(repaired);
    }
    free(bytes.bytes);
    return fits && !error->status;
}

static dit_status unquote(dit_text *text, dit_error *error)
{
    dit_text made = {0};
    bool fits = dit_text_append(&made, "", 0);
    for (size_t at = 0, end; at < text->size && fits; at = end) {
        bool ascii = !(text->bytes[at] & 0x80);
        for (end = at; end < text->size && !(text->bytes[end] & 0x80) == ascii;)
            end++;
        fits = ascii ? unquote_run(text->bytes + at, end - at, &made, error)
                     : dit_text_append(&made, text->bytes + at, end - at);
    }
    if (!fits)
        no_memory(error);
    if (error->status)
        free(made.bytes);
    else
        take_over(text, made);
    return error->status;
}

// ---- What ftfy repairs

static const struct {
    int code;
    const char *text;
} ligatures[] = {{0x132, "IJ"},       {0x133, "ij"},  {0x149, "\u02bcn"}, {0x1c4, "D\u017d"}, {0x1c5, "D\u017e"},
                 {0x1c6, "d\u017e"},  {0x1c7, "LJ"},  {0x1c8, "Lj"},      {0x1c9, "lj"},      {0x1ca, "NJ"},
                 {0x1cb, "Nj"},       {0x1cc, "nj"},  {0x1f1, "DZ"},      {0x1f2, "Dz"},      {0x1f3, "dz"},
                 {0xfb00, "ff"},      {0xfb01, "fi"}, {0xfb02, "fl"},     {0xfb03, "ffi"},    {0xfb04, "ffl"},
                 {0xfb05, "\u017ft"}, {0xfb06, "st"}};

static bool is_unwanted_control(int c)
{
    return c < 0x09 || c == 0x0b || (c >= 0x0e && c < 0x20) || c == 0x7f || (c >= 0x206a && c <= 0x206f) ||
           c == 0xfeff || (c >= 0xfff9 && c <= 0xfffc);
}

// One character: C1 controls are those of Windows-1252; ligatures, widths, quotes and line breaks become plain.
static bool append_repaired(dit_text *out, int c)
{
    static const dit_normal_step wide[] = {{.kind = DIT_NORMAL_NFKC, .newest = true}};
    char text[4];
    c = dit_windows_1252(c);
    for (size_t i = 0; i < sizeof ligatures / sizeof *ligatures; i++)
        if (c == ligatures[i].code)
            return dit_text_append(out, ligatures[i].text, strlen(ligatures[i].text));
    if (c > 0xff00 && c < 0xfff0) {
        dit_text plain;
        if (dit_text_normalize(text, dit_character_write(c, text), wide, 1, &plain, NULL))
            return false;
        bool fits = dit_text_append(out, plain.bytes, plain.size);
        free(plain.bytes);
        return fits;
    }
    c = c == 0x3000                                  ? ' '
        : c == 0x2bc || (c >= 0x2018 && c <= 0x201b) ? '\''
        : c >= 0x201c && c <= 0x201f                 ? '"'
        : c == '\r' || c == 0x2028 || c == 0x2029    ? '\n'
                                                     : c;
    return dit_text_append(out, text, dit_character_write(c, text));
}

static dit_status repair_characters(dit_text *text, dit_error *error)
{
    dit_text made = {0};
    bool fits = dit_text_append(&made, "", 0);
    for (size_t at = 0; at < text->size && fits;) {
        dit_character c = dit_character_at(text->bytes + at, text->size - at);
        at += c.size;
        if (c.code == '\r' && at < text->size && text->bytes[at] == '\n')
            continue;
        fits = append_repaired(&made, c.code);
    }
    if (!fits) {
        free(made.bytes);
        return no_memory(error);
    }
    take_over(text, made);
    return DIT_OK;
}

static void remove_controls(dit_text *text)
{
    size_t to = 0;
    for (size_t at = 0; at < text->size;) {
        dit_character c = dit_character_at(text->bytes + at, text->size - at);
        if (!is_unwanted_control(c.code)) {
            memmove(text->bytes + to, text->bytes + at, c.size);
            to += c.size;
        }
        at += c.size;
    }
    text->size = to;
    text->bytes[to] = 0;
}

// Once more, until nothing changes.
static dit_status repair_line(dit_text *line, dit_error *error)
{
    static const struct rule escapes[] = {{"\\x1b\\[(?:[;]|" D ")*[a-zA-Z]", "", 0}}; // colours of terminals
    static const dit_normal_step nfc[] = {{.kind = DIT_NORMAL_NFC, .newest = true}};
    enum { MOST = 100 };
    bool unescape = !memchr(line->bytes, '<', line->size), same = false;
    for (int round = 0; round < MOST && !same && !error->status; round++) {
        dit_text made = {0};
        if (unescape ? !dit_html_unescape(line->bytes, line->size, true, &made)
                     : !dit_text_append(&made, line->bytes, line->size)) {
            free(made.bytes);
            return no_memory(error);
        }
        if (!repair_characters(&made, error) && !APPLY(escapes, &made, error)) {
            dit_text normal;
            remove_controls(&made);
            if (!dit_text_normalize(made.bytes, made.size, nfc, 1, &normal, error))
                take_over(&made, normal);
        }
        same = made.size == line->size && !memcmp(made.bytes, line->bytes, made.size);
        take_over(line, made);
    }
    return error->status;
}

static dit_status repair(dit_text *text, dit_error *error)
{
    dit_text made = {0};
    bool fits = dit_text_append(&made, "", 0);
    for (size_t at = 0, end; at < text->size && fits && !error->status; at = end) {
        const char *found = memchr(text->bytes + at, '\n', text->size - at);
        end = found ? (size_t)(found - text->bytes) + 1 : text->size;
        dit_text line = {0};
        fits = dit_text_append(&line, text->bytes + at, end - at);
        if (fits && !repair_line(&line, error))
            fits = dit_text_append(&made, line.bytes, line.size);
        free(line.bytes);
    }
    if (!fits)
        no_memory(error);
    if (error->status)
        free(made.bytes);
    else
        take_over(text, made);
    return error->status;
}

// ---- Captions

static dit_status remove_markup(dit_text *text, dit_error *error)
{
    dit_text made = {0};
    if (!dit_html_text(text->bytes, text->size, &made)) {
        free(made.bytes);
        return no_memory(error);
    }
    take_over(text, made);
    return DIT_OK;
}

static dit_status unescape_twice(dit_text *text, dit_error *error)
{
    for (int i = 0; i < 2; i++) {
        dit_text made = {0};
        if (!dit_html_unescape(text->bytes, text->size, false, &made)) {
            free(made.bytes);
            return no_memory(error);
        }
        take_over(text, made);
    }
    return DIT_OK;
}

static dit_status clean_once(dit_text *text, dit_error *error)
{
    if (unquote(text, error))
        return error->status;
    strip(text);
    if (!lower(text, error) && !APPLY(before_markup, text, error) && !remove_markup(text, error) &&
        !APPLY(before_repair, text, error) && !repair(text, error) && !unescape_twice(text, error) &&
        !APPLY(after_repair, text, error))
        strip(text);
    return error->status;
}

static dit_status clean(const char *text, size_t length, bool whole, char **result, size_t *size, dit_error *error)
{
    dit_error ours = {0};
    dit_text made = {0};
    *result = NULL;
    if (!dit_text_check(text, length, "the prompt", &ours) && !dit_text_append(&made, text, length))
        no_memory(&ours);
    if (!ours.status && whole) {
        if (!clean_once(&made, &ours))
            clean_once(&made, &ours);
    } else if (!ours.status && !lower(&made, &ours))
        strip(&made);
    if (ours.status) {
        free(made.bytes);
        return dit_fail(error, ours.status, "%s", ours.message);
    }
    *result = made.bytes;
    if (size)
        *size = made.size;
    return DIT_OK;
}

dit_status dit_clean_caption(const char *text, size_t length, char **result, size_t *size, dit_error *error)
{
    return clean(text, length, true, result, size, error);
}

dit_status dit_clean_lower(const char *text, size_t length, char **result, size_t *size, dit_error *error)
{
    return clean(text, length, false, result, size, error);
}
