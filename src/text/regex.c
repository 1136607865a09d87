// text/regex.c: PCRE2, its limits, and the translation of Oniguruma's syntax.
#include "text/regex.h"
#include "text/character.h"
#include <stdlib.h>
#include <string.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct dit_regex {
    pcre2_code *code;
    pcre2_match_context *limits;
};

// ---- Oniguruma's syntax

// Classes as the inside of brackets. PCRE2's own differ: its \s has U+180E, its \w neither marks nor circled letters.
#define SPACES "\\t-\\r \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define WORDS                                                                                                          \
    "\\p{L}\\p{Nl}\\p{M}\\p{Nd}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{"    \
    "1f189}"

struct translation {
    const char *from;
    size_t left;
    char *to; // room for twice WORDS for every byte of `from`
    size_t size;
    bool in_class;
};

static void put(struct translation *t, const char *text, size_t size)
{
    memcpy(t->to + t->size, text, size);
    t->size += size;
}

static void take(struct translation *t, size_t size)
{
    put(t, t->from, size);
    t->from += size;
    t->left -= size;
}

static void put_class(struct translation *t, const char *inside, bool negated)
{
    if (!t->in_class)
        put(t, negated ? "[^" : "[", negated ? 2 : 1);
    put(t, inside, strlen(inside));
    if (!t->in_class)
        put(t, "]", 1);
    t->from += 2;
    t->left -= 2;
}

// A backslash and what follows it. False: not known to mean the same in both engines.
static bool translate_escape(struct translation *t)
{
    char c = t->left > 1 ? t->from[1] : 0;
    switch (c) {
    case 's':
    case 'S':
        if (c == 'S' && t->in_class)
            return false;
        put_class(t, SPACES, c == 'S');
        return true;
    case 'w':
    case 'W':
        if (c == 'W' && t->in_class)
            return false;
        put_class(t, WORDS, c == 'W');
        return true;
    case 'd':
    case 'D':
        if (c == 'D' && t->in_class)
            return false;
        put_class(t, "\\p{Nd}", c == 'D');
        return true;
    case 'p':
    case 'P':
    case 'x':
    case 'n':
    case 'r':
    case 't':
    case 'f':
        take(t, 2);
        return true;
    default:
        if (!c || (c & 0x80) || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
            return false;
        take(t, 2); // an escaped sign
        return true;
    }
}

// Groups that both engines know: (?:  (?=  (?!  (?<=  (?<!  (?>  (?i:  (?i)
static bool translate_group(struct translation *t)
{
    static const char *const known[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?i)"};
    if (t->left < 2 || (t->from[1] != '?' && t->from[1] != '*')) {
        take(t, 1);
        return true;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (t->left >= strlen(known[i]) && !memcmp(t->from, known[i], strlen(known[i]))) {
            take(t, strlen(known[i]));
            return true;
        }
    return false;
}

static bool translate(struct translation *t)
{
    while (t->left > 0) {
        char c = *t->from;
        bool nested = t->in_class && (c == '[' || (c == '&' && t->left > 1 && t->from[1] == '&'));
        if (nested || (c == '\\' && !translate_escape(t)) || (c == '(' && !t->in_class && !translate_group(t)))
            return false;
        if (c == '\\' || (c == '(' && !t->in_class))
            continue;
        if (c == '[' && t->left > 1 && t->from[1] == '^')
            take(t, 1);
        t->in_class = c == '[' || (t->in_class && c != ']');
        take(t, 1);
    }
    return true;
}

// ---- Compiling

static dit_status no_memory(dit_error *error)
{
    return dit_fail(error, DIT_NO_MEMORY, "no memory for a regular expression");
}

static dit_status compile(dit_regex *regex, const char *pattern, size_t size, unsigned flags, dit_error *error)
{
    // A search that needs more steps than this for one match is a mistake or an attack.
    enum { STEPS = 10000000, KIBIBYTES = 32768 };
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NO_UTF_CHECK | PCRE2_NEVER_BACKSLASH_C;
    options |= flags & DIT_REGEX_ONIGURUMA ? PCRE2_MULTILINE : 0;
    options |= flags & DIT_REGEX_CASELESS ? PCRE2_CASELESS : 0;
    int code;
    size_t place;
    pcre2_compile_context *how = pcre2_compile_context_create(NULL);
    regex->limits = pcre2_match_context_create(NULL);
    if (!how || !regex->limits) {
        pcre2_compile_context_free(how);
        return no_memory(error);
    }
    pcre2_set_newline(how, PCRE2_NEWLINE_LF);
    pcre2_set_match_limit(regex->limits, STEPS);
    pcre2_set_heap_limit(regex->limits, KIBIBYTES);
    regex->code = pcre2_compile((PCRE2_SPTR)pattern, size, options, &code, &place, how);
    pcre2_compile_context_free(how);
    if (!regex->code) {
        char words[128];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)words, sizeof words);
        return dit_fail(error, DIT_BAD_FILE, "is no regular expression: %s", words);
    }
    pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE); // where there is no compiler, the interpreter serves
    return DIT_OK;
}

dit_status dit_regex_compile(dit_regex **out, const char *pattern, size_t size, unsigned flags, dit_error *error)
{
    enum { LONGEST = 4096 };
    struct translation t = {pattern, size, NULL, 0, false};
    dit_regex *regex = calloc(1, sizeof *regex);
    dit_status status = regex ? DIT_OK : no_memory(error);
    *out = NULL;
    if (!status && size > LONGEST)
        status = dit_fail(error, DIT_UNSUPPORTED, "is a regular expression of %zu bytes; the longest here has %d", size,
                          LONGEST);
    if (!status && flags & DIT_REGEX_ONIGURUMA) {
        t.to = malloc(size * (sizeof WORDS + 3) + 1);
        if (!t.to)
            status = no_memory(error);
        else if (!translate(&t))
            status =
                dit_fail(error, DIT_UNSUPPORTED, "is a regular expression whose \"%.20s\" is not supported", t.from);
    }
    if (!status)
        status = t.to ? compile(regex, t.to, t.size, flags, error) : compile(regex, pattern, size, flags, error);
    free(t.to);
    if (status)
        dit_regex_free(regex);
    else
        *out = regex;
    return status;
}

void dit_regex_free(dit_regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    pcre2_match_context_free(regex->limits);
    free(regex);
}

// ---- Searching

static void take_groups(pcre2_match_data *data, int count, dit_match *match)
{
    const PCRE2_SIZE *places = pcre2_get_ovector_pointer(data);
    match->found = true;
    for (int i = 0; i < DIT_REGEX_GROUPS; i++) {
        bool there = i < count && places[2 * i] != PCRE2_UNSET;
        match->from[i] = there ? places[2 * i] : SIZE_MAX;
        match->to[i] = there ? places[2 * i + 1] : SIZE_MAX;
    }
}

dit_status dit_regex_find(const dit_regex *regex, const char *text, size_t size, size_t start, dit_match *match,
                          dit_error *error)
{
    dit_status status = DIT_OK;
    *match = (dit_match){0};
    pcre2_match_data *data = pcre2_match_data_create(DIT_REGEX_GROUPS, NULL);
    if (!data)
        return no_memory(error);
    int count = pcre2_match(regex->code, (PCRE2_SPTR)text, size, start, PCRE2_NO_UTF_CHECK, data, regex->limits);
    if (count == PCRE2_ERROR_JIT_STACKLIMIT) // the interpreter's memory grows
        count = pcre2_match(regex->code, (PCRE2_SPTR)text, size, start, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data,
                            regex->limits);
    if (count >= 0)
        take_groups(data, count ? count : DIT_REGEX_GROUPS, match);
    else if (count == PCRE2_ERROR_NOMEMORY)
        status = no_memory(error);
    else if (count != PCRE2_ERROR_NOMATCH)
        status =
            dit_fail(error, DIT_BAD_ARGUMENT, "a regular expression takes too many steps on a text of %zu bytes", size);
    pcre2_match_data_free(data);
    return status;
}

dit_status dit_regex_next(const dit_regex *regex, const char *text, size_t size, dit_match *match, dit_error *error)
{
    size_t end = match->found ? match->to[0] : SIZE_MAX, start = match->found ? end : 0;
    for (;;) {
        dit_status status = dit_regex_find(regex, text, size, start, match, error);
        if (status || !match->found)
            return status;
        if (match->to[0] > match->from[0] || match->from[0] != end)
            return DIT_OK;
        if (start >= size) { // an empty match right after the last one, at the end
            match->found = false;
            return DIT_OK;
        }
        start += dit_character_at(text + start, size - start).size;
    }
}
