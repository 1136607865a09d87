// models/original_names.c: patterns of tensor names.
#include "models/original_rows.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

dit_status dit_names_expand(const dit_facts *facts, const char *from, int64_t index, char *to, size_t size,
                            int64_t *repeats, dit_error *error)
{
    size_t n = 0;
    *repeats = 1;
    while (*from) {
        size_t plain = strcspn(from, "{[");
        char close = from[plain] == '{' ? '}' : ']';
        int64_t value = 0;
        int written = snprintf(to + n, size - n, "%.*s", (int)plain, from);
        n += written < 0 ? size : (size_t)written;
        from += plain;
        if (*from && n < size) {
            from++;
            if (dit_facts_evaluate(facts, &from, &value, error))
                return error->status;
            from += *from == close;
            if (close == ']')
                *repeats = value;
            written = snprintf(to + n, size - n, "%lld", (long long)(close == ']' ? index : value));
            n += written < 0 ? size : (size_t)written;
        }
        if (n >= size)
            return dit_fail(error, DIT_BAD_FILE, "%s: a tensor's name is too long",
                            facts->file ? dit_tensor_file_path(facts->file) : from);
    }
    to[n] = 0;
    return DIT_OK;
}

// Underscores also stand within words (noise_refiner), so a star tries its longest text first, then shorter ones.
static bool match_from(const char *pattern, const char *name, bool underscored, dit_captures *captured)
{
    for (; *pattern && *pattern != '*'; pattern++, name++)
        if (*pattern != *name && !(underscored && *pattern == '.' && *name == '_'))
            return false;
    if (!*pattern)
        return *name == 0;
    bool rest = pattern[1] == '*';
    size_t digits = underscored ? strspn(name, "0123456789") : 0;
    size_t length = rest ? strlen(name) : digits ? digits : strcspn(name, ".");
    size_t shortest = underscored && !rest && !digits ? 1 : length;
    int star = captured->count;
    if (length == 0 || star == DIT_MOST_STARS)
        return false;
    for (; length >= shortest; length--) {
        captured->item[star].text = name;
        captured->item[star].length = length;
        captured->count = star + 1;
        if (match_from(pattern + 1 + rest, name + length, underscored, captured))
            return true;
    }
    return false;
}

bool dit_names_match(const char *pattern, const char *name, bool underscored, dit_captures *captured)
{
    captured->count = 0;
    return match_from(pattern, name, underscored, captured);
}

bool dit_names_fill(const char *target, const dit_captures *captured, char *name, size_t size)
{
    size_t n = 0;
    int stars = 0;
    for (const char *c = target; *c; c++)
        stars += *c == '*' && c[1] != '*';
    int star = stars < captured->count ? captured->count - stars : 0;
    for (; *target; target++) {
        bool is_star = *target == '*' && star < captured->count;
        const char *text = is_star ? captured->item[star].text : target;
        size_t length = is_star ? captured->item[star++].length : 1;
        if (n + length >= size)
            return false;
        memcpy(name + n, text, length);
        n += length;
        if (is_star && target[1] == '*')
            target++;
    }
    name[n] = 0;
    return true;
}

void dit_names_add_numbers(const dit_captures *captured, dit_facts *facts)
{
    static const char *const names[DIT_MOST_STARS] = {"$1", "$2", "$3", "$4"};
    for (int i = 0; i < captured->count && facts->count < DIT_MOST_NUMBERS; i++) {
        const char *text = captured->item[i].text;
        size_t length = captured->item[i].length, digits = strspn(text, "0123456789");
        if (digits != length || length > 6)
            continue;
        facts->number[facts->count].name = names[i];
        facts->number[facts->count++].value = strtol(text, NULL, 10);
    }
}
