// models/original_facts.c: expressions over the shapes of a file's tensors.
#include "models/original_rows.h"
#include <ctype.h>
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

int64_t dit_facts_count(const dit_facts *facts, const char *name, size_t length)
{
    char start[600];
    int n = facts->file ? snprintf(start, sizeof start, "%s%.*s.", facts->prefix, (int)length, name) : -1;
    int64_t most = -1;
    if (facts->looked)
        *facts->looked = true;
    if (n < 0 || (size_t)n >= sizeof start)
        return 0;
    for (size_t i = 0; i < dit_tensor_file_count(facts->file); i++) {
        const char *candidate = dit_tensor_file_at(facts->file, i).name;
        if (strncmp(candidate, start, (size_t)n) || !isdigit((unsigned char)candidate[n]))
            continue;
        long number = strtol(candidate + n, NULL, 10);
        most = number > most && number < 100000 ? number : most;
    }
    return most + 1;
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

static bool accept(struct parser *p, char wanted)
{
    while (*p->at == ' ')
        p->at++;
    if (*p->at != wanted)
        return false;
    p->at++;
    return true;
}

// A tensor's name: up to the bracket that closes the call or opens the axis.
static size_t name_length(const char *at)
{
    return strcspn(at, "()[], ?:+-*/%{}");
}

static int64_t call(struct parser *p, const char *function, size_t length)
{
    size_t n = name_length(p->at);
    const char *name = p->at;
    ptrdiff_t found = dit_facts_find(p->facts, name, n);
    int64_t value = 0;
    if (length == 4 && !strncmp(function, "sqrt", 4)) {
        int64_t square = conditional(p);
        value = square > 0 ? (int64_t)sqrt((double)square) : 0;
    } else {
        p->at += n;
        if (length == 3 && !strncmp(function, "has", 3))
            value = found >= 0;
        else if (length == 5 && !strncmp(function, "count", 5))
            value = dit_facts_count(p->facts, name, n);
        else if (found < 0)
            return fail(p, "there is no tensor", name, n);
        else
            value = dit_tensor_file_at(p->facts->file, (size_t)found).rank;
    }
    return accept(p, ')') ? value : fail(p, "a bracket is open after", name, n);
}

static int64_t extent(struct parser *p, const char *name, size_t length)
{
    int64_t axis = conditional(p);
    ptrdiff_t found = dit_facts_find(p->facts, name, length);
    if (!accept(p, ']') || found < 0)
        return fail(p, "there is no tensor", name, length);
    dit_tensor_entry e = dit_tensor_file_at(p->facts->file, (size_t)found);
    if (e.rank > DIT_MAX_RANK || axis < 0 || axis >= e.rank || e.dim[axis] < 1 || e.dim[axis] > 1 << 30)
        return fail(p, "an unfit shape has", name, length);
    return e.dim[axis];
}

static int64_t primary(struct parser *p)
{
    if (p->error->status || ++p->depth > 64)
        return fail(p, "too deep", "", 0);
    int64_t value = 0;
    if (accept(p, '(')) {
        value = conditional(p);
        if (!accept(p, ')'))
            fail(p, "a bracket is open", "", 0);
    } else if (isdigit((unsigned char)*p->at)) {
        char *end;
        value = strtoll(p->at, &end, 10);
        p->at = end;
        if (*p->at == '.') // a name that begins with a digit is none of these tables'
            fail(p, "a number with a point", "", 0);
    } else {
        const char *name = p->at;
        size_t length = name_length(name);
        p->at += length;
        if (accept(p, '('))
            value = call(p, name, length);
        else if (accept(p, '['))
            value = extent(p, name, length);
        else {
            int i = p->facts->count - 1;
            while (i >= 0 &&
                   (strlen(p->facts->number[i].name) != length || strncmp(p->facts->number[i].name, name, length)))
                i--;
            value = i >= 0 ? p->facts->number[i].value : fail(p, "nothing is named", name, length);
        }
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
