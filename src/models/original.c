// models/original.c: which family a file belongs to, its configuration, and its tensors under their published names.
#include "models/original.h"
#include "models/original_rows.h"
#include "models/scaled_weights.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAMILY(name, class) {.kind = DIT_ROW_FAMILY, .from = name, .to = class},
#define NEEDS(name) {.kind = DIT_ROW_NEEDS, .from = name},
#define LACKS(name) {.kind = DIT_ROW_LACKS, .from = name},
#define LET(name, value) {.kind = DIT_ROW_LET, .from = name, .to = value},
#define CONFIG(key, value) {.kind = DIT_ROW_CONFIG, .from = key, .to = value},
#define CONFIG_BOOL(key, value) {.kind = DIT_ROW_CONFIG_BOOL, .from = key, .to = value},
#define CONFIG_TEXT(key, value) {.kind = DIT_ROW_CONFIG_TEXT, .from = key, .to = value},
#define CONFIG_LIST(key, value) {.kind = DIT_ROW_CONFIG_LIST, .from = key, .to = value},
#define CONFIG_IF(when, kind_of, key, value) {.kind = DIT_ROW_##kind_of, .from = key, .to = value, .condition = when},
#define MOVE(name, target) {.kind = DIT_ROW_MOVE, .from = name, .to = target},
#define SPLIT(name, targets, extents) {.kind = DIT_ROW_SPLIT, .from = name, .to = targets, .parts = extents},
#define SWAP(name, target) {.kind = DIT_ROW_SWAP, .from = name, .to = target},
#define FLATTEN(name, target) {.kind = DIT_ROW_FLATTEN, .from = name, .to = target},
#define DROP(name) {.kind = DIT_ROW_DROP, .from = name},
static const dit_row rows[] = {
#include "models/names/families.def"
    {.kind = DIT_ROW_FAMILY},
};
enum { ROWS = sizeof rows / sizeof *rows - 1 };

// Under which original files keep a network's tensors. The averaged weights come before the others.
static const char *const prefixes[] = {
    "",
    "model.diffusion_model.",
    "ema.",
    "model_ema.",
    "state_dict_ema.",
    "state_dict.",
    "model.",
    "module.",
    "transformer.",
    "first_stage_model.",
    "vae.",
    "text_encoders.clip_l.transformer.",
    "text_encoders.clip_g.transformer.",
    "text_encoders.t5xxl.transformer.",
    NULL,
};

struct dit_original {
    dit_tensor_file *file;
    const dit_row *family;
    dit_facts facts;
    char *config; // malloc'd by jansson
};

static bool holds(const dit_facts *facts, const dit_row *family)
{
    for (const dit_row *r = family + 1; r->kind == DIT_ROW_NEEDS || r->kind == DIT_ROW_LACKS; r++)
        if ((dit_facts_find(facts, r->from, strlen(r->from)) >= 0) != (r->kind == DIT_ROW_NEEDS))
            return false;
    return true;
}

static bool is_listed(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (!strcmp(*list, name))
            return true;
    return false;
}

static const dit_row *find_family(dit_facts *facts, const dit_original_query *query)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].kind != DIT_ROW_FAMILY || (query->classes && !is_listed(query->classes, rows[i].to)))
            continue;
        for (const char *const *prefix = query->prefixes ? query->prefixes : prefixes; *prefix; prefix++) {
            facts->prefix = *prefix;
            if (holds(facts, &rows[i]))
                return &rows[i];
        }
    }
    return NULL;
}

// which(blocks, attn2.qkv.weight): the N for which blocks.N.attn2.qkv.weight is there. *text is behind "which(".
static void add_which(const dit_facts *facts, const char **text, json_t *list)
{
    char name[300];
    const char *at = *text;
    size_t stem = strcspn(at, ","), rest = strcspn(at + stem, ")");
    const char *suffix = at + stem + strspn(at + stem, ", ");
    int64_t count = dit_facts_count(facts, at, stem);
    for (int64_t i = 0; i < count; i++) {
        int n = snprintf(name, sizeof name, "%.*s.%lld.%.*s", (int)stem, at, (long long)i,
                         (int)(at + stem + rest - suffix), suffix);
        if (n > 0 && dit_facts_find(facts, name, (size_t)n) >= 0)
            json_array_append_new(list, json_integer(i));
    }
    *text = at + stem + rest + 1;
}

static json_t *list_value(const dit_facts *facts, const char *text, dit_error *error)
{
    json_t *list = json_array();
    while (*text && !error->status) {
        int64_t value;
        if (!strncmp(text, "which(", 6)) {
            text += 6;
            add_which(facts, &text, list);
        } else if (!dit_facts_evaluate(facts, &text, &value, error)) {
            json_array_append_new(list, json_integer(value));
        }
        text += strspn(text, ", ");
    }
    return list;
}

// A number that is known; false where there is none.
static bool known_number(const json_t *known, const char *key, int64_t *value)
{
    const json_t *found = json_object_get(known, key);
    if (json_is_integer(found))
        *value = json_integer_value(found);
    else if (json_is_boolean(found))
        *value = json_is_true(found);
    return json_is_integer(found) || json_is_boolean(found);
}

// Follows a row that makes a number or a key of `config`, which starts as what is known. A row that looks at a tensor
// states a fact of this file; one that does not, what every release has: there what is known counts more.
static dit_status follow(dit_facts *f, const dit_row *r, json_t *config, dit_error *error)
{
    const char *text = r->to, *condition = r->condition;
    const json_t *known = json_object_get(config, r->from);
    int64_t value = 1;
    bool *fact = f->looked;
    *fact = false;
    if (condition && dit_facts_evaluate(f, &condition, &value, error))
        return error->status;
    if (!value) {
        if (*fact)
            json_object_del(config, r->from);
        return DIT_OK;
    }
    if (r->kind == DIT_ROW_CONFIG_TEXT || r->kind == DIT_ROW_CONFIG_LIST) {
        json_t *made = r->kind == DIT_ROW_CONFIG_TEXT ? json_string(text) : list_value(f, text, error);
        if (*fact || !known || json_is_null(known))
            json_object_set_new(config, r->from, made);
        else
            json_decref(made);
        return error->status;
    }
    if (dit_facts_evaluate(f, &text, &value, error))
        return error->status;
    if (f->count == DIT_MOST_NUMBERS)
        return dit_fail(error, DIT_BAD_FILE, "%s: its family has too many numbers", dit_tensor_file_path(f->file));
    bool kept = r->kind != DIT_ROW_LET && !*fact && known_number(config, r->from, &value);
    f->number[f->count].name = r->from;
    f->number[f->count++].value = value;
    if (r->kind != DIT_ROW_LET && !kept)
        json_object_set_new(config, r->from, r->kind == DIT_ROW_CONFIG ? json_integer(value) : json_boolean(value));
    return DIT_OK;
}

// Follows the rows that make numbers and the configuration.
static dit_status configure(dit_original *o, const json_t *known, dit_error *error)
{
    const char *class_name = json_string_value(json_object_get(known, "_class_name"));
    bool counts = json_is_object(known) && (!class_name || !strcmp(class_name, o->family->to));
    json_t *config = counts ? json_deep_copy(known) : json_object();
    bool looked;
    json_object_set_new(config, "_class_name", json_string(o->family->to));
    o->facts.looked = &looked;
    for (const dit_row *r = o->family + 1; r->kind != DIT_ROW_FAMILY && !error->status; r++)
        if (r->kind >= DIT_ROW_LET && r->kind <= DIT_ROW_CONFIG_LIST)
            follow(&o->facts, r, config, error);
    o->facts.looked = NULL;
    o->config = json_dumps(config, JSON_INDENT(2));
    json_decref(config);
    if (!o->config && !error->status)
        dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its configuration", dit_tensor_file_path(o->file));
    return error->status;
}

dit_status dit_original_find(dit_original **out, dit_tensor_file *file, const dit_original_query *query,
                             dit_error *error)
{
    static const dit_original_query any;
    dit_error own = {0};
    dit_facts facts = {.file = file};
    const dit_row *family = find_family(&facts, query ? query : &any);
    *out = NULL;
    if (!family)
        return DIT_OK;
    dit_original *o = calloc(1, sizeof *o);
    if (!o)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", dit_tensor_file_path(file));
    *o = (dit_original){.file = file, .family = family, .facts = facts};
    if (configure(o, query ? query->known : NULL, &own)) {
        dit_original_free(o);
        return dit_fail(error, own.status, "%s", own.message);
    }
    *out = o;
    return DIT_OK;
}

const char *const *dit_original_prefixes(void)
{
    return prefixes;
}

void dit_original_free(dit_original *o)
{
    if (!o)
        return;
    free(o->config);
    free(o);
}

const char *dit_original_class(const dit_original *o)
{
    return o->family->to;
}

const char *dit_original_family(const dit_original *o)
{
    return o->family->from;
}

const char *dit_original_prefix(const dit_original *o)
{
    return o->facts.prefix;
}

const char *dit_original_config(const dit_original *o)
{
    return o->config;
}

// ---- Weights

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
    snprintf(text, sizeof text, "%.*s", (int)length, target);
    for (int64_t i = 0; i < repeats && !m->error->status; i++, owned = false) {
        bool named = !dit_names_expand(&m->original->facts, text, i, expanded, sizeof expanded, &repeats, m->error);
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

// Whether rows may be told apart: a block format's rows are whole blocks.
static bool has_rows(const dit_array *a)
{
    return a->shape.rank > 1 || (a->shape.rank == 1 && dit_dtype_block(a->dtype) == 1);
}

static dit_status split(const struct move *m, dit_array a)
{
    const char *target = m->row->to, *part = m->row->parts;
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

static dit_status swap(const struct move *m, dit_array a)
{
    if (!has_rows(&a) || a.shape.dim[0] % 2)
        return wrong_shape(m, &a);
    size_t half = dit_array_bytes(&a) / 2;
    dit_array swapped = {a.dtype, a.shape, aligned_alloc(64, (2 * half + 64) & ~(size_t)63)};
    if (!swapped.data)
        return dit_fail(m->error, DIT_NO_MEMORY, "%s: no memory for tensor \"%.80s\"", path_of(m), m->name);
    memcpy(swapped.data, (char *)a.data + half, half);
    memcpy((char *)swapped.data + half, a.data, half);
    return add(m, m->row->to, strlen(m->row->to), swapped, true);
}

static dit_status flatten(const struct move *m, dit_array a)
{
    if (a.shape.rank < 1 || dit_dtype_block(a.dtype) != 1)
        return wrong_shape(m, &a);
    int64_t rest = 1;
    for (int i = 1; i < a.shape.rank; i++)
        rest *= a.shape.dim[i];
    a.shape = (dit_shape){2, {a.shape.dim[0], rest}};
    return add(m, m->row->to, strlen(m->row->to), a, false);
}

// The row whose pattern the name, without its prefix, matches; NULL when there is none.
static const dit_row *find_row(const dit_original *o, const char *name, dit_captures *captured, dit_error *error)
{
    for (const dit_row *r = o->family + 1; r->kind != DIT_ROW_FAMILY; r++) {
        char pattern[600];
        int64_t repeats;
        if (r->kind < DIT_ROW_MOVE)
            continue;
        if (dit_names_expand(&o->facts, r->from, 0, pattern, sizeof pattern, &repeats, error))
            return NULL;
        if (dit_names_match(pattern, name, false, captured))
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
        return split(m, a);
    case DIT_ROW_SWAP:
        return swap(m, a);
    case DIT_ROW_FLATTEN:
        return flatten(m, a);
    default:
        return add(m, m->row->to, strlen(m->row->to), a, false);
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

// ---- Names alone, for adapters

// How many transformer_blocks.N there are: what `{num_layers - 1}` in a pattern needs.
static int64_t count_layers(const dit_weights *weights)
{
    int64_t count = 0;
    for (int i = 0; i < dit_weights_count(weights); i++) {
        static const char start[] = "transformer_blocks.";
        const char *name = dit_weights_at(weights, i)->name;
        if (!strncmp(name, start, sizeof start - 1)) {
            long n = strtol(name + sizeof start - 1, NULL, 10) + 1;
            count = n > count ? n : count;
        }
    }
    return count;
}

// The targets of `row`, a comma-separated list.
static bool fill_targets(const dit_facts *facts, const dit_row *row, const dit_captures *captured, dit_renamed *renamed)
{
    const char *target = row->to;
    *renamed = (dit_renamed){.consecutive = row->kind == DIT_ROW_SPLIT, .swapped = row->kind == DIT_ROW_SWAP};
    while (target && *target && renamed->count < (int)(sizeof renamed->name / sizeof *renamed->name)) {
        char text[300], expanded[600];
        dit_error ignored = {0};
        int64_t repeats;
        size_t length = strcspn(target, ",");
        snprintf(text, sizeof text, "%.*s", (int)length, target);
        if (dit_names_expand(facts, text, 0, expanded, sizeof expanded, &repeats, &ignored) || repeats != 1 ||
            !dit_names_fill(expanded, captured, renamed->name[renamed->count++], sizeof *renamed->name))
            return false;
        target += length;
        target += strspn(target, ", ");
    }
    return renamed->count > 0;
}

bool dit_original_rename(const char *class_name, const char *name, bool underscored, const dit_weights *weights,
                         dit_renamed *renamed)
{
    const dit_facts facts = {.count = 1, .number[0] = {"num_layers", count_layers(weights)}};
    bool of_class = false;
    for (size_t i = 0; i < ROWS; i++) {
        const dit_row *r = &rows[i];
        char pattern[600];
        dit_captures captured;
        dit_error ignored = {0};
        int64_t repeats;
        if (r->kind == DIT_ROW_FAMILY)
            of_class = !strcmp(r->to, class_name);
        if (!of_class || r->kind < DIT_ROW_MOVE || r->kind == DIT_ROW_DROP ||
            dit_names_expand(&facts, r->from, 0, pattern, sizeof pattern, &repeats, &ignored))
            continue;
        if (dit_names_match(pattern, name, underscored, &captured))
            return fill_targets(&facts, r, &captured, renamed);
    }
    return false;
}
