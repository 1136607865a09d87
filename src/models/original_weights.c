// models/original_weights.c: the tensors of an original file under their published names.
#include "models/original_rows.h"
#include "models/scaled_weights.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// One tensor on its way: the row that names it, and what the pattern's stars stand for.
struct move {
    const dit_original *original;
    const dit_row *row;
    const char *name;
    dit_captures captured;
    dit_weights *weights;
    dit_error *error;
};

static const char *path_of(const struct move *m)
{
    return dit_tensor_file_path(m->original->file);
}

// Adds `array` under every name that the target, `length` bytes long, stands for. With `owned` its data is handed over,
// also on failure; a later name of a repeated target borrows it.
static dit_status add(const struct move *m, const char *target, size_t length, dit_array array, bool owned)
{
    char text[300], expanded[600], name[600];
    int64_t repeats = 1;
    dit_facts facts = m->original->facts;
    dit_names_add_numbers(&m->captured, &facts);
    snprintf(text, sizeof text, "%.*s", (int)length, target);
    for (int64_t i = 0; i < repeats && !m->error->status; i++, owned = false) {
        bool named = !dit_names_expand(&facts, text, i, expanded, sizeof expanded, &repeats, m->error);
        if (named && !dit_names_fill(expanded, &m->captured, name, sizeof name))
            dit_fail(m->error, DIT_BAD_FILE, "%s: the name of tensor \"%.80s\" is too long", path_of(m), m->name);
        if (m->error->status && owned)
            free(array.data);
        if (!m->error->status && !dit_weights_add(m->weights, name, array, owned, m->error))
            dit_scale_weight(m->original->file, m->name, dit_weights_find(m->weights, name), m->error);
    }
    return m->error->status;
}

static size_t row_bytes(const dit_array *a)
{
    return a->shape.rank && a->shape.dim[0] ? dit_array_bytes(a) / (size_t)a->shape.dim[0] : 0;
}

// Rows [first, first + count) of an array: a view.
static dit_array rows_of(const dit_array *a, int64_t first, int64_t count)
{
    dit_array part = *a;
    part.shape.dim[0] = count;
    part.data = (char *)a->data + (size_t)first * row_bytes(a);
    return part;
}

static dit_status wrong_shape(const struct move *m, const dit_array *a)
{
    char shape[160];
    return dit_fail(m->error, DIT_BAD_FILE, "%s: tensor \"%.80s\" has the shape %s, which does not divide as it should",
                    path_of(m), m->name, dit_shape_text(&a->shape, shape));
}

// Whether rows may be told apart: there are some, not many of no length, and those of a block format are whole blocks.
static bool has_rows(const dit_array *a)
{
    if (dit_shape_count(&a->shape) < 1)
        return false;
    return a->shape.rank > 1 || (a->shape.rank == 1 && dit_dtype_block(a->dtype) == 1);
}

// Rows of `a` for each of the targets: `part` expressions, or equal parts.
static dit_status split(const struct move *m, dit_array a, const char *part)
{
    const char *target = m->row->to;
    int64_t first = 0, parts = 1;
    if (!has_rows(&a))
        return wrong_shape(m, &a);
    for (const char *c = target; *c; c++)
        parts += *c == ',';
    for (int64_t i = 0; i < parts && !m->error->status; i++) {
        int64_t count = a.shape.dim[0] / parts;
        if (*part && dit_facts_evaluate(&m->original->facts, &part, &count, m->error))
            break;
        part += strspn(part, ", ");
        size_t length = strcspn(target, ",");
        if (count < 1 || count > a.shape.dim[0] - first)
            return wrong_shape(m, &a);
        add(m, target, length, rows_of(&a, first, count), false);
        first += count;
        target += length;
        target += strspn(target, ", ");
    }
    return !m->error->status && first != a.shape.dim[0] ? wrong_shape(m, &a) : m->error->status;
}

// The first rows.
static dit_status head(const struct move *m, dit_array a)
{
    const char *text = m->row->parts;
    int64_t count = 0;
    if (dit_facts_evaluate(&m->original->facts, &text, &count, m->error))
        return m->error->status;
    if (!has_rows(&a) || count < 1 || count > a.shape.dim[0])
        return wrong_shape(m, &a);
    return add(m, m->row->to, strlen(m->row->to), rows_of(&a, 0, count), false);
}

// The same under several names.
static dit_status move_whole(const struct move *m, dit_array a)
{
    const char *target = m->row->to;
    while (*target && !m->error->status) {
        size_t length = strcspn(target, ",");
        add(m, target, length, a, false);
        target += length;
        target += strspn(target, ", ");
    }
    return m->error->status;
}

// Room for an array like `a`; false after an error.
static bool allocate_like(const struct move *m, const dit_array *a, dit_dtype dtype, dit_array *like)
{
    *like = (dit_array){dtype, a->shape, NULL};
    like->data = aligned_alloc(64, (dit_array_bytes(like) + 64) & ~(size_t)63);
    if (!like->data)
        dit_fail(m->error, DIT_NO_MEMORY, "%s: no memory for tensor \"%.80s\"", path_of(m), m->name);
    return like->data != NULL;
}

static dit_status swap(const struct move *m, dit_array a)
{
    dit_array swapped;
    if (!has_rows(&a) || a.shape.dim[0] % 2)
        return wrong_shape(m, &a);
    if (!allocate_like(m, &a, a.dtype, &swapped))
        return m->error->status;
    size_t half = dit_array_bytes(&a) / 2;
    memcpy(swapped.data, (char *)a.data + half, half);
    memcpy((char *)swapped.data + half, a.data, half);
    return add(m, m->row->to, strlen(m->row->to), swapped, true);
}

// Within the rows of every head, those at even places come first: from pairs side by side, as rotary positions turn
// them in some programs, to pairs half a head apart.
static dit_status unweave(const struct move *m, dit_array a)
{
    const char *text = m->row->parts;
    int64_t heads = 0;
    dit_array sorted;
    if (dit_facts_evaluate(&m->original->facts, &text, &heads, m->error))
        return m->error->status;
    if (!has_rows(&a) || heads < 1 || a.shape.dim[0] % heads || a.shape.dim[0] / heads % 2)
        return wrong_shape(m, &a);
    if (!allocate_like(m, &a, a.dtype, &sorted))
        return m->error->status;
    size_t bytes = row_bytes(&a);
    int64_t width = a.shape.dim[0] / heads;
    for (int64_t row = 0; row < a.shape.dim[0]; row++) {
        int64_t first = row / width * width, place = row - first;
        int64_t to = first + place / 2 + (place % 2 ? width / 2 : 0);
        memcpy((char *)sorted.data + (size_t)to * bytes, (char *)a.data + (size_t)row * bytes, bytes);
    }
    return add(m, m->row->to, strlen(m->row->to), sorted, true);
}

static dit_status subtract_one(const struct move *m, dit_array a)
{
    dit_array less;
    if (!dit_dtype_is_float(a.dtype))
        return wrong_shape(m, &a);
    if (!allocate_like(m, &a, DIT_F32, &less))
        return m->error->status;
    int64_t count = dit_shape_count(&a.shape);
    for (int64_t i = 0; i < count; i++)
        ((float *)less.data)[i] = (float)(dit_element_get(a.dtype, a.data, i) - 1);
    return add(m, m->row->to, strlen(m->row->to), less, true);
}

static dit_status flatten(const struct move *m, dit_array a)
{
    int64_t rest = 1;
    if (a.shape.rank < 1 || (a.shape.rank > 2 && dit_dtype_block(a.dtype) != 1))
        return wrong_shape(m, &a);
    for (int i = 1; i < a.shape.rank; i++)
        rest *= a.shape.dim[i];
    a.shape = (dit_shape){2, {a.shape.dim[0], rest}};
    return split(m, a, "");
}

// The row whose pattern the name, without its prefix, matches; NULL when there is none.
static const dit_row *find_row(const dit_original *o, const char *name, dit_captures *captured, dit_error *error)
{
    for (const dit_row *r = o->family + 1; r->kind != DIT_ROW_FAMILY; r++) {
        char expanded[600];
        const char *pattern = r->from, *condition = r->condition;
        int64_t repeats, holds = 1;
        if (r->kind < DIT_ROW_MOVE)
            continue;
        if (strchr(pattern, '{')) {
            if (dit_names_expand(&o->facts, pattern, 0, expanded, sizeof expanded, &repeats, error))
                return NULL;
            pattern = expanded;
        }
        if (!dit_names_match(pattern, name, false, captured))
            continue;
        if (condition && dit_facts_evaluate(&o->facts, &condition, &holds, error))
            return NULL;
        if (holds)
            return r;
    }
    return NULL;
}

static dit_status move_tensor(struct move *m, size_t index)
{
    dit_array a;
    if (m->row->kind == DIT_ROW_DROP || dit_tensor_file_array(m->original->file, index, &a, m->error))
        return m->error->status;
    switch (m->row->kind) {
    case DIT_ROW_SPLIT:
        return split(m, a, m->row->parts);
    case DIT_ROW_HEAD:
        return head(m, a);
    case DIT_ROW_UNWEAVE:
        return unweave(m, a);
    case DIT_ROW_SUBTRACT_ONE:
        return subtract_one(m, a);
    case DIT_ROW_SWAP:
        return swap(m, a);
    case DIT_ROW_FLATTEN:
        return flatten(m, a);
    default:
        return move_whole(m, a);
    }
}

dit_status dit_original_weights(const dit_original *o, dit_weights *weights, dit_error *error)
{
    dit_error own = {0};
    size_t prefix = strlen(o->facts.prefix);
    for (size_t i = 0; i < dit_tensor_file_count(o->file) && !own.status; i++) {
        const char *full = dit_tensor_file_at(o->file, i).name;
        if (strncmp(full, o->facts.prefix, prefix) || dit_is_scale_name(full))
            continue;
        struct move m = {.original = o, .name = full, .weights = weights, .error = &own};
        m.row = find_row(o, full + prefix, &m.captured, &own);
        if (m.row)
            move_tensor(&m, i);
        else if (!own.status)
            dit_fail(&own, DIT_BAD_FILE, "%s: tensor \"%.80s\" is none of the original %s",
                     dit_tensor_file_path(o->file), full, o->family->to);
    }
    return own.status ? dit_fail(error, own.status, "%s", own.message) : DIT_OK;
}
