// io/json_parse.c: text into a document, refusing all that strict JSON and the limits of io/json.h refuse.
#include "base/arena.h"
#include "io/file.h"
#include "io/json_private.h"
#include <stdlib.h>
#include <string.h>

enum { LARGEST_FILE = 64 << 20, MOST_VALUES = 4 << 20 };

static const char infinite_key[] = "lambda_min_clipped";

// One pass over the text before the parser proper. It counts values, since a parsed `[]` takes fifty times the memory
// of its text, and rewrites the two kinds of token that jansson refuses and published files hold.
struct scan {
    const char *text, *end;
    char *out; // the rewritten text; at most 9/8 of the text's length, as only long tokens grow
    size_t written;
    size_t values;
    int depth;
    const char *key; // the last string at this place, with its quotes, up to `key_end`
    const char *key_end;
    bool after_colon;
    bool minus_infinity;
};

static const char *copy_string(struct scan *s, const char *p)
{
    const char *start = p++;
    while (p < s->end && *p != '"')
        p += *p == '\\' && p + 1 < s->end ? 2 : 1;
    if (p < s->end)
        p++;
    memcpy(s->out + s->written, start, (size_t)(p - start));
    s->written += (size_t)(p - start);
    if (!s->after_colon) {
        s->key = start;
        s->key_end = p;
    }
    return p;
}

// An integer that does not fit 64 bits gets an exponent, which makes it a double.
static const char *copy_number(struct scan *s, const char *p)
{
    const char *start = p, *digits;
    bool negative = *p == '-';
    digits = p += negative;
    while (p < s->end && *p >= '0' && *p <= '9')
        p++;
    size_t count = (size_t)(p - digits);
    bool integer = p == s->end || (*p != '.' && *p != 'e' && *p != 'E');
    bool large =
        count > 19 || (count == 19 && memcmp(digits, negative ? "9223372036854775808" : "9223372036854775807", 19) > 0);
    memcpy(s->out + s->written, start, (size_t)(p - start));
    s->written += (size_t)(p - start);
    if (integer && large) {
        memcpy(s->out + s->written, "e0", 2);
        s->written += 2;
    }
    return p;
}

static bool is_minus_infinity(const struct scan *s, const char *p)
{
    size_t key = sizeof infinite_key - 1;
    return s->depth == 1 && s->after_colon && s->end - p >= 9 && !memcmp(p, "-Infinity", 9) &&
           (size_t)(s->key_end - s->key) == key + 2 && !memcmp(s->key + 1, infinite_key, key);
}

static const char *copy_token(struct scan *s, const char *p, unsigned flags)
{
    switch (*p) {
    case '"':
        return copy_string(s, p);
    case '-':
        if (flags & DIT_JSON_MINUS_INFINITY && is_minus_infinity(s, p)) {
            memcpy(s->out + s->written, "-1e308", 6);
            s->written += 6;
            s->minus_infinity = true;
            return p + 9;
        }
        return copy_number(s, p);
    case '{':
    case '[':
        s->depth++;
        s->values++;
        s->after_colon = *p == '[';
        break;
    case '}':
    case ']':
        s->depth--;
        break;
    case ':':
        s->after_colon = true;
        break;
    case ',':
        s->values++;
        s->after_colon = false;
        break;
    default:
        if (*p >= '0' && *p <= '9')
            return copy_number(s, p);
    }
    s->out[s->written++] = *p;
    return p + 1;
}

static dit_status rewrite(dit_json_file *file, struct scan *s, unsigned flags, dit_error *error)
{
    size_t size = (size_t)(s->end - s->text);
    if (size > LARGEST_FILE)
        return dit_fail(error, DIT_BAD_FILE, "%s: has %zu bytes; a JSON file has at most %d", file->name, size,
                        LARGEST_FILE);
    s->out = malloc(size + size / 8 + 16);
    if (!s->out)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to parse it", file->name);
    for (const char *p = s->text; p < s->end;)
        p = copy_token(s, p, flags);
    if (s->values > MOST_VALUES)
        return dit_fail(error, DIT_BAD_FILE, "%s: holds more than %d values; a JSON file has at most that many",
                        file->name, MOST_VALUES);
    file->minus_infinity = s->minus_infinity;
    return DIT_OK;
}

static dit_status parse(dit_json_file *file, const char *text, size_t size, unsigned flags, dit_error *error)
{
    struct scan s = {.text = text, .end = text + size};
    dit_status status = rewrite(file, &s, flags, error);
    if (!status) {
        json_error_t reason;
        file->root = json_loadb(s.out, s.written, JSON_REJECT_DUPLICATES, &reason);
        if (!file->root && json_error_code(&reason) == json_error_out_of_memory)
            status = dit_fail(error, DIT_NO_MEMORY, "%s: no memory to parse it", file->name);
        else if (!file->root)
            status = dit_fail(error, DIT_BAD_FILE, "%s: line %d: %.160s", file->name, reason.line, reason.text);
    }
    free(s.out);
    return status;
}

dit_status dit_json_parse(dit_json_file **out, const char *name, const char *text, size_t size, unsigned flags,
                          dit_error *error)
{
    dit_json_file *file = calloc(1, sizeof *file);
    if (file) {
        file->arena = dit_arena_new();
        file->read = json_object();
        file->name = file->arena ? dit_arena_copy_text(file->arena, name) : NULL;
    }
    dit_status status;
    if (!file || !file->read || !file->name)
        status = dit_fail(error, DIT_NO_MEMORY, "%s: no memory to parse it", name);
    else
        status = parse(file, text, size, flags, error);
    if (status)
        dit_json_close(file);
    else
        *out = file;
    return status;
}

dit_status dit_json_open(dit_json_file **file, const char *path, unsigned flags, dit_error *error)
{
    char *text;
    size_t size;
    dit_status status = dit_file_read(path, LARGEST_FILE, &text, &size, error);
    if (status)
        return status;
    status = dit_json_parse(file, path, text, size, flags, error);
    free(text);
    return status;
}

void dit_json_close(dit_json_file *file)
{
    if (!file)
        return;
    json_decref(file->root);
    json_decref(file->read);
    dit_arena_free(file->arena);
    free(file);
}
