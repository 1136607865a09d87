// base/error.c: failures as one clean line of text.
#include "base/error.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

// Length of the valid UTF-8 sequence of two to four bytes at `s`, or 0.
static int utf8_sequence(const unsigned char *s)
{
    int n = s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
    if (s[0] > 0xf4)
        return 0;
    for (int i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    // Controls U+0080..U+009F, surrogates, overlong forms, and what lies beyond U+10FFFF are not printable text.
    if ((s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

void dit_make_printable(char *text)
{
    unsigned char *s = (unsigned char *)text;
    while (*s) {
        int n = *s < 0x80 ? 1 : utf8_sequence(s);
        if (n == 0 || *s < 0x20 || *s == 0x7f) {
            *s = '?';
            n = 1;
        }
        s += n;
    }
}

static dit_status record(dit_error *error, dit_status status, const char *suffix, const char *format, va_list arguments)
{
    if (!error)
        return status;
    if (error->status)
        return error->status;
    error->status = status;
    int n = vsnprintf(error->message, sizeof error->message, format, arguments);
    if (suffix && n >= 0 && (size_t)n < sizeof error->message)
        snprintf(error->message + n, sizeof error->message - (size_t)n, ": %s", suffix);
    dit_make_printable(error->message);
    return status;
}

dit_status dit_fail(dit_error *error, dit_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    status = record(error, status, NULL, format, arguments);
    va_end(arguments);
    return status;
}

dit_status dit_fail_errno(dit_error *error, int code, const char *format, ...)
{
    dit_status status = code == ENOSPC || code == ENOMEM || code == EDQUOT ? DIT_NO_MEMORY : DIT_NO_FILE;
    va_list arguments;
    va_start(arguments, format);
    status = record(error, status, strerror(code), format, arguments);
    va_end(arguments);
    return status;
}

void dit_error_locate(dit_error *error, const char *where)
{
    if (!error || !error->status)
        return;
    char old[sizeof error->message];
    memcpy(old, error->message, sizeof old);
    snprintf(error->message, sizeof error->message, "%.200s: %.350s", where, old);
    dit_make_printable(error->message);
}
