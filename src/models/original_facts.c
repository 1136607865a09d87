// models/original_facts.c: expressions over the shapes of a file's tensors.
#include "models/original_rows.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ptrdiff_t dit_facts_find(const dit_facts *facts, const char *name, size_t length)
{
    char full[600];
    if (facts->looked)
        *facts->looked = true;
    int n = facts->file ? snprintf(full, sizeof full, "%s%.*s", facts->prefix, (int)length, name) : -1;
    return n < 0 || (size_t)n >= sizeof full ? -1 : dit_tensor_file_find(facts->file, full);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool dit_facts_sort(dit_facts *facts)
{
    size_t count = dit_tensor_file_count(facts->file);
    facts->sorted = malloc((count + 1) * sizeof *facts->sorted);
    for (size_t i = 0; facts->sorted && i < count; i++)
        facts->sorted[i] = dit_tensor_file_at(facts->file, i).name;
    if (facts->sorted)
        qsort(facts->sorted, count, sizeof *facts->sorted, by_name);
    return facts->sorted;
}

// The place of the first name that is not before `start`, where names are sorted.
static size_t first_from(const dit_facts *facts, const char *start)
{
    size_t low = 0, high = facts->sorted ? dit_tensor_file_count(facts->file) : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(facts->sorted[middle], start) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int64_t dit_facts_count(const dit_facts *facts, const char *name, size_t length)
{
    char start[600];
    int n = facts->file ? snprintf(start, sizeof start, "%s%.*s.", facts->prefix, (int)length, name) : -1;
    int64_t most = -1;
    if (facts->looked)
        *facts->looked = true;
    if (n < 0 || (size_t)n >= sizeof start)
        return 0;
    for (size_t i = first_from(facts, start); i < dit_tensor_file_count(facts->file); i++) {
        const char *candidate = facts->sorted ? facts->sorted[i] : dit_tensor_file_at(facts->file, i).name;
        if (strncmp(candidate, start, (size_t)n)) {
            if (facts->sorted)
                break;
            continue;
        }
        long number = isdigit((unsigned char)candidate[n]) ? strtol(candidate + n, NULL, 10) : -1;
        most = number > most && number < 100000 ? number : most;
    }
    return most + 1;
}

// The key as the file has it, with its architecture for `arch`.
static void write_key(const dit_facts *facts, const char *key, size_t length, char *full, size_t size)
{
    static const char stem[] = "arch.";
    const char *architecture = NULL;
    bool is_stem = length >= sizeof stem && !strncmp(key, stem, sizeof stem - 1);
    if (is_stem)
        architecture = dit_tensor_file_metadata(facts->file, "general.architecture");
    if (architecture)
        snprintf(full, size, "%.100s.%.*s", architecture, (int)(length - sizeof stem + 1), key + sizeof stem - 1);
    else
        snprintf(full, size, "%.*s", (int)length, key);
}

const char *dit_facts_metadata(const dit_facts *facts, const char *key, size_t length)
{
    char full[300];
    if (facts->looked)
        *facts->looked = true;
    if (!facts->file)
        return NULL;
    write_key(facts, key, length, full, sizeof full);
    return dit_tensor_file_metadata(facts->file, full);
}

struct parser {
    const dit_facts *facts;
    const char *at;
    int depth;
    dit_error *error;
};

static int64_t conditional(struct parser *p);

static int64_t fail(struct parser *p, const char *what, const char *name, size_t length)
{
    dit_fail(p->error, DIT_BAD_FILE, "%s: its configuration does not follow from its tensors: %s %.*s",
             p->facts->file ? dit_tensor_file_path(p->facts->file) : "weights", what, (int)(length < 80 ? length : 80),
             name);
    return 0;
}

static void skip_spaces(struct parser *p)
{
    while (*p->at == ' ')
        p->at++;
}

static bool accept(struct parser *p, char wanted)
{
    skip_spaces(p);
    if (*p->at != wanted)
        return false;
    p->at++;
    return true;
}

// A name up to the bracket that closes the call or opens the axis, with {EXPR} written out. Empty after an error.
struct name {
    char text[300];
    size_t length;
};

static struct name read_name(struct parser *p)
{
    struct name name = {.length = 0};
    for (;;) {
        size_t plain = strcspn(p->at, "()[], ?:+-*/%{}");
        int64_t number = 0;
        bool counted = p->at[plain] == '{';
        const char *start = p->at;
        p->at += plain + counted;
        if (counted)
            number = conditional(p);
        int n = snprintf(name.text + name.length, sizeof name.text - name.length, counted ? "%.*s%lld" : "%.*s",
                         (int)plain, start, (long long)number);
        name.length += n < 0 ? sizeof name.text : (size_t)n;
        if ((counted && !accept(p, '}')) || name.length >= sizeof name.text) {
            fail(p, "an unfit name begins with", start, plain);
            return (struct name){.length = 0};
        }
        if (!counted)
            return name;
    }
}

// An integer, or a bool, of the metadata.
static int64_t metadata(struct parser *p, const char *key, size_t length)
{
    const char *text = dit_facts_metadata(p->facts, key, length);
    char *end = NULL, full[300] = "";
    if (text && (!strcmp(text, "true") || !strcmp(text, "false")))
        return *text == 't';
    errno = 0;
    long long value = text ? strtoll(text, &end, 10) : 0;
    if (text && !errno && end != text && !*end)
        return value;
    if (p->facts->file)
        write_key(p->facts, key, length, full, sizeof full);
    return fail(p, text ? "the metadata has no integer as" : "the metadata lacks", full, strlen(full));
}

// What function(name) is; n: the name's length.
static int64_t function_of(struct parser *p, const char *function, const char *name, size_t n)
{
    static const char *const functions[] = {"has", "count", "rank", "file", "meta", "given"};
    enum { HAS, COUNT, RANK, IN_FILE, META, GIVEN, FUNCTIONS };
    int which = 0;
    while (which < FUNCTIONS && strcmp(functions[which], function))
        which++;
    ptrdiff_t found = dit_facts_find(p->facts, name, n);
    switch (which) {
    case HAS:
        return found >= 0;
    case COUNT:
        return dit_facts_count(p->facts, name, n);
    case RANK:
        return found < 0 ? fail(p, "there is no tensor", name, n)
                         : dit_tensor_file_at(p->facts->file, (size_t)found).rank;
    case IN_FILE:
        return p->facts->file && dit_tensor_file_find(p->facts->file, name) >= 0;
    case META:
        return metadata(p, name, n);
    case GIVEN:
        return dit_facts_metadata(p->facts, name, n) != NULL;
    default:
        return fail(p, "there is no function", function, strlen(function));
    }
}

static int64_t call(struct parser *p, const struct name *function)
{
    int64_t value;
    if (!strcmp(function->text, "sqrt")) {
        int64_t square = conditional(p);
        value = square > 0 ? (int64_t)sqrt((double)square) : 0;
    } else {
        struct name name = read_name(p);
        value = function_of(p, function->text, name.text, name.length);
    }
    return accept(p, ')') ? value : fail(p, "a bracket is open after", function->text, function->length);
}

static int64_t extent(struct parser *p, const struct name *name)
{
    int64_t axis = conditional(p);
    ptrdiff_t found = dit_facts_find(p->facts, name->text, name->length);
    if (!accept(p, ']') || found < 0)
        return fail(p, "there is no tensor", name->text, name->length);
    dit_tensor_entry e = dit_tensor_file_at(p->facts->file, (size_t)found);
    if (e.rank > DIT_MAX_RANK || axis < 0 || axis >= e.rank || e.dim[axis] < 1 || e.dim[axis] > 1 << 30)
        return fail(p, "an unfit shape has", name->text, name->length);
    return e.dim[axis];
}

// A number that a row has named.
static int64_t named(struct parser *p, const struct name *name)
{
    int i = p->facts->count - 1;
    while (i >= 0 && strcmp(p->facts->number[i].name, name->text))
        i--;
    return i >= 0 ? p->facts->number[i].value : fail(p, "nothing is named", name->text, name->length);
}

static int64_t primary(struct parser *p)
{
    if (p->error->status || ++p->depth > 64)
        return fail(p, "too deep", "", 0);
    int64_t value = 0;
    skip_spaces(p);
    size_t digits = strspn(p->at, "0123456789");
    if (accept(p, '(')) {
        value = conditional(p);
        if (!accept(p, ')'))
            fail(p, "a bracket is open", "", 0);
    } else if (digits && p->at[digits] != '.') { // else a name that begins with a digit
        value = strtoll(p->at, NULL, 10);
        p->at += digits;
    } else {
        const struct name name = read_name(p);
        value = accept(p, '(') ? call(p, &name) : accept(p, '[') ? extent(p, &name) : named(p, &name);
    }
    p->depth--;
    return value;
}

static int64_t product(struct parser *p)
{
    int64_t value = primary(p);
    while (!p->error->status) {
        if (accept(p, '*')) {
            if (__builtin_mul_overflow(value, primary(p), &value))
                fail(p, "a product is too large", "", 0);
        } else {
            bool quotient = accept(p, '/'), rest = !quotient && accept(p, '%');
            if (!quotient && !rest)
                break;
            int64_t by = primary(p);
            if (by <= 0)
                return fail(p, "a division by zero", "", 0);
            value = quotient ? value / by : value % by;
        }
    }
    return value;
}

static int64_t sum(struct parser *p)
{
    int64_t value = product(p);
    while (!p->error->status) {
        bool more = accept(p, '+'), less = !more && accept(p, '-');
        if (!more && !less)
            break;
        int64_t other = product(p);
        if (more ? __builtin_add_overflow(value, other, &value) : __builtin_sub_overflow(value, other, &value))
            fail(p, "a sum is too large", "", 0);
    }
    return value;
}

// a ? b : c. The side that is not taken may name tensors that are not there.
static int64_t conditional(struct parser *p)
{
    int64_t value = sum(p);
    if (p->error->status || !accept(p, '?'))
        return value;
    dit_error ignored = {0}, *error = p->error;
    p->error = value ? error : &ignored;
    int64_t yes = conditional(p);
    if (!value && ignored.status) // the rest of that side was not read
        p->at += strcspn(p->at, ":");
    p->error = error;
    if (!accept(p, ':'))
        return fail(p, "a ':' is missing", "", 0);
    ignored = (dit_error){0};
    p->error = value ? &ignored : error;
    int64_t no = conditional(p);
    p->error = error;
    if (value && ignored.status)
        p->at += strcspn(p->at, ",)]}");
    return value ? yes : no;
}

dit_status dit_facts_evaluate(const dit_facts *facts, const char **text, int64_t *value, dit_error *error)
{
    dit_error own = {0}; // the parser goes by it
    struct parser p = {.facts = facts, .at = *text, .error = &own};
    *value = conditional(&p);
    while (*p.at == ' ')
        p.at++;
    if (!own.status && *p.at && !strchr(",]}", *p.at))
        fail(&p, "an expression ends in", p.at, strlen(p.at));
    *text = p.at;
    return own.status ? dit_fail(error, own.status, "%s", own.message) : DIT_OK;
}
