// cli/value.c: strict reading of the values of options.
#include "cli/option.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

dit_status parse_int(const char *text, const char *what, int64_t *value, dit_error *error)
{
    const char *digits = text + (*text == '-');
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || digits[n])
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s needs a whole number, not \"%.60s\"", what, text);
    errno = 0;
    long long number = strtoll(text, NULL, 10);
    if (errno)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: %.60s does not fit in 64 bits", what, text);
    *value = number;
    return DIT_OK;
}

dit_status parse_uint64(const char *text, const char *what, uint64_t *value, dit_error *error)
{
    size_t n = strspn(text, "0123456789");
    if (n == 0 || text[n])
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s needs a whole number of at least 0, not \"%.60s\"", what, text);
    errno = 0;
    unsigned long long number = strtoull(text, NULL, 10);
    if (errno)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: %.60s does not fit in 64 bits", what, text);
    *value = number;
    return DIT_OK;
}

// Length of a decimal number at the start of `s`: [-]digits[.digits][e[+-]digits], or 0. What strtod takes besides
// (nan, inf, hexadecimal, spaces) is nobody's intention on a command line.
static size_t decimal_length(const char *s)
{
    const char *digits = "0123456789", *start = s;
    s += *s == '-';
    size_t whole = strspn(s, digits), fraction = 0;
    s += whole;
    if (*s == '.') {
        fraction = strspn(s + 1, digits);
        s += 1 + fraction;
    }
    if (whole + fraction == 0)
        return 0;
    if (*s == 'e' || *s == 'E') {
        const char *exponent = s + 1 + (s[1] == '+' || s[1] == '-');
        size_t n = strspn(exponent, digits);
        if (n)
            s = exponent + n;
    }
    return (size_t)(s - start);
}

dit_status parse_float(const char *text, const char *what, double *value, dit_error *error)
{
    size_t n = decimal_length(text);
    if (n == 0 || text[n])
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s needs a number, not \"%.60s\"", what, text);
    double number = strtod(text, NULL);
    if (!isfinite(number))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: %.60s is too large", what, text);
    *value = number;
    return DIT_OK;
}

dit_status parse_bytes(const char *text, const char *what, uint64_t *bytes, dit_error *error)
{
    static const char units[] = "KMGT";
    size_t digits = strspn(text, "0123456789."), n = *text == '.' ? 0 : decimal_length(text);
    const char *unit = n && n == digits && text[n] ? strchr(units, text[n]) : NULL;
    const char *rest = unit ? text + n + 1 : text;
    bool binary = strcmp(rest, "iB") == 0;
    if (!unit || (*rest && !binary && strcmp(rest, "B") != 0))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s needs a number with a unit, such as 512M or 2.5G, not \"%.60s\"",
                        what, text);
    double number = strtod(text, NULL);
    for (const char *u = units; u <= unit; u++)
        number *= binary ? 1024 : 1000;
    if (number < 1e6 || number > 0x1p60)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: %.60s is no sensible amount of memory; give 1M or more", what,
                        text);
    *bytes = (uint64_t)number;
    return DIT_OK;
}

dit_status parse_shape(const char *text, const char *what, dit_shape *shape, dit_error *error)
{
    *shape = DIT_SCALAR;
    for (const char *s = text;; s++) {
        size_t n = strspn(s, "0123456789");
        if (n == 0 || (s[n] && s[n] != ','))
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s needs extents such as 2,4,32,32, not \"%.60s\"", what, text);
        if (shape->rank == DIT_MAX_RANK)
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s: %.60s has more than %d axes", what, text, DIT_MAX_RANK);
        errno = 0;
        long long extent = strtoll(s, NULL, 10);
        if (errno || extent < 1)
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s: every extent of %.60s must be at least 1 and fit in 63 bits",
                            what, text);
        shape->dim[shape->rank++] = extent;
        s += n;
        if (!*s)
            break;
    }
    dit_error fault = {0};
    if (dit_shape_check(shape, DIT_F64, &fault))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: %s", what, fault.message);
    return DIT_OK;
}

dit_status check_utf8(const char *text, const char *what, dit_error *error)
{
    const utf8proc_uint8_t *s = (const utf8proc_uint8_t *)text;
    utf8proc_ssize_t left = (utf8proc_ssize_t)strlen(text);
    while (left > 0) {
        utf8proc_int32_t codepoint;
        utf8proc_ssize_t n = utf8proc_iterate(s, left, &codepoint);
        if (n <= 0)
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s is not UTF-8 text (byte 0x%02x at offset %zu)", what, *s,
                            (size_t)(s - (const utf8proc_uint8_t *)text));
        s += n;
        left -= n;
    }
    return DIT_OK;
}

// Edits (insertions, deletions, changes, swaps of neighbours) that turn `a` into `b`, for words of up to 31 bytes.
static size_t edit_distance(const char *a, const char *b)
{
    enum { MAX = 32 };
    size_t n = strlen(a), m = strlen(b), d[MAX][MAX];
    if (n >= MAX || m >= MAX)
        return MAX;
    for (size_t i = 0; i <= n; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            size_t best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best)
                best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best)
                best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[n][m];
}

const char *nearest_word(const char *word, const char *(*candidate)(size_t i, const void *context), const void *context)
{
    size_t length = strlen(word), best = length <= 3 ? 2 : length <= 6 ? 3 : 4;
    const char *nearest = NULL;
    for (size_t i = 0;; i++) {
        const char *name = candidate(i, context);
        if (!name)
            break;
        // A word begun but not finished is as near as one typing error.
        size_t distance = length >= 2 && strncmp(name, word, length) == 0 ? 1 : edit_distance(word, name);
        if (distance < best) {
            best = distance;
            nearest = name;
        }
    }
    return nearest;
}
