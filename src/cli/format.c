// cli/format.c: numbers as people read them.
#include "cli/format.h"
#include <stdio.h>

// Three digits and a prefix of 1000^k.
static char *with_prefix(char *text, double value, const char *unit)
{
    static const char prefixes[] = " kMGTPE";
    int k = 0;
    while (value >= 999.5 && prefixes[k + 1]) {
        value /= 1000;
        k++;
    }
    int decimals = k == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    if (k)
        snprintf(text, FORMAT_SIZE, "%.*f %c%s", decimals, value, prefixes[k], unit);
    else
        snprintf(text, FORMAT_SIZE, "%.0f%s%s", value, *unit ? " " : "", unit);
    return text;
}

char *format_bytes(char text[FORMAT_SIZE], double bytes)
{
    return with_prefix(text, bytes, "B");
}

char *format_count(char text[FORMAT_SIZE], double count)
{
    if (count < 1e6)
        snprintf(text, FORMAT_SIZE, "%.0f", count);
    else
        with_prefix(text, count, "");
    return text;
}

char *format_duration(char text[FORMAT_SIZE], double seconds)
{
    long s = (long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(text, FORMAT_SIZE, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, FORMAT_SIZE, "%ld:%02ld", s / 60, s % 60);
    return text;
}
