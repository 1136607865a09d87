// models/original_config.c: the configuration that follows from a file's shapes and metadata.
#include "models/original_rows.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ITEMS = 1024 }; // of a list

static dit_status fail(const dit_facts *facts, const char *what, const char *name, dit_error *error)
{
    return dit_fail(error, DIT_BAD_FILE, "%s: its configuration does not follow from it: %s %.80s",
                    dit_tensor_file_path(facts->file), what, name);
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

// The expression with `index` in the place of every '#'.
static dit_status evaluate_at(const dit_facts *facts, const char *expression, int64_t index, int64_t *value,
                              dit_error *error)
{
    char text[600];
    size_t n = 0;
    for (const char *c = expression; *c && n + 24 < sizeof text; c++) {
        if (*c == '#')
            n += (size_t)snprintf(text + n, 24, "%lld", (long long)index);
        else
            text[n++] = *c;
    }
    text[n] = 0;
    const char *at = text;
    return dit_facts_evaluate(facts, &at, value, error);
}

// CONFIG_EACH and CONFIG_CHOICE.
static json_t *repeated_value(const dit_facts *facts, const dit_row *row, dit_error *error)
{
    json_t *list = json_array();
    const char *times = row->parts;
    int64_t count = 0, value;
    if (!dit_facts_evaluate(facts, &times, &count, error) && (count < 0 || count > MOST_ITEMS))
        fail(facts, "there are too many of", row->from, error);
    for (int64_t i = 0; i < count && !error->status; i++) {
        if (evaluate_at(facts, row->to, i, &value, error))
            break;
        const char *text = value ? row->yes : row->no;
        json_array_append_new(list, row->kind == DIT_ROW_CONFIG_EACH ? json_integer(value)
                                                                     : json_loads(text, JSON_DECODE_ANY, NULL));
    }
    return list;
}

// A number or a text of the metadata; NULL where it is not there.
static json_t *metadata_value(const dit_facts *facts, const dit_row *row, dit_error *error)
{
    const char *text = dit_facts_metadata(facts, row->to, strlen(row->to));
    char *end;
    if (!text)
        return NULL;
    double value = strtod(text, &end);
    if (end == text || *end)
        return json_string(text);
    if (!isfinite(value)) {
        fail(facts, "the metadata has no finite number as", row->to, error);
        return NULL;
    }
    return fabs(value) < 1e15 && value == floor(value) ? json_integer((json_int_t)value) : json_real(value);
}

// The numbers in the tensor at that place of the file.
static json_t *values_of(const dit_facts *facts, const dit_row *row, size_t found, dit_error *error)
{
    dit_array a;
    json_t *list = json_array();
    if (dit_tensor_file_array(facts->file, found, &a, error))
        return list;
    int64_t count = dit_shape_count(&a.shape);
    if (count > MOST_ITEMS || !dit_dtype_is_float(a.dtype))
        fail(facts, "too large, or not of floats, is", row->to, error);
    for (int64_t i = 0; i < count && !error->status; i++) {
        double value = dit_element_get(a.dtype, a.data, i);
        if (isfinite(value))
            json_array_append_new(list, json_real(value));
        else
            fail(facts, "a number is not finite in", row->to, error);
    }
    return list;
}

// What Llama 3.1's scaling (arXiv 2407.21783) by `factor` divides the frequency of pair i of `pairs` by: those that
// turn less than once in the original length by all of it, those that turn more than four times by 1.
static double llama3_factor(double factor, double theta, size_t i, size_t pairs)
{
    const double original_length = 8192, low = 1, high = 4;
    double turns = original_length / (2 * M_PI * pow(theta, (double)i / (double)pairs));
    double ramp = fmin(fmax((turns - low) / (high - low), 0), 1);
    return 1 / ((1 - ramp) / factor + ramp);
}

// What frequencies of rotary positions are divided by, as a configuration has it: as Llama 3.1's scaling where that
// gives these numbers, else the numbers.
static json_t *rope_scaling_of(const dit_facts *facts, const dit_row *row, dit_error *error)
{
    static const char key[] = "arch.rope.freq_base";
    const char *base = dit_facts_metadata(facts, key, sizeof key - 1);
    double theta = base ? strtod(base, NULL) : 10000;
    ptrdiff_t found = dit_facts_find(facts, row->to, strlen(row->to));
    if (found < 0)
        return NULL;
    json_t *factors = values_of(facts, row, (size_t)found, error);
    size_t count = json_array_size(factors);
    double largest = json_real_value(json_array_get(factors, count ? count - 1 : 0));
    bool is_llama3 = theta > 1 && largest > 1;
    for (size_t i = 0; i < count && is_llama3; i++) {
        double factor = llama3_factor(largest, theta, i, count);
        is_llama3 = fabs(json_real_value(json_array_get(factors, i)) - factor) <= 1e-5 * factor;
    }
    if (!is_llama3)
        return json_pack("{s:s, s:o}", "rope_type", "factors", "factors", factors);
    json_decref(factors);
    return json_pack("{s:s, s:f, s:f, s:f, s:i}", "rope_type", "llama3", "factor", largest, "low_freq_factor", 1.0,
                     "high_freq_factor", 4.0, "original_max_position_embeddings", 8192);
}

static json_t *ratio_of(const dit_facts *facts, const dit_row *row, dit_error *error)
{
    const char *above = row->to, *below = row->parts;
    int64_t a = 0, b = 0;
    if (dit_facts_evaluate(facts, &above, &a, error) || dit_facts_evaluate(facts, &below, &b, error))
        return NULL;
    if (b <= 0) {
        fail(facts, "a division by zero gives", row->from, error);
        return NULL;
    }
    return json_real((double)a / (double)b);
}

// The value of a row; NULL where it has none.
static json_t *value_of(const dit_facts *facts, const dit_row *row, int64_t number, dit_error *error)
{
    switch (row->kind) {
    case DIT_ROW_CONFIG:
        return json_integer(number);
    case DIT_ROW_CONFIG_BOOL:
        return json_boolean(number);
    case DIT_ROW_CONFIG_TEXT:
        return json_string(row->to);
    case DIT_ROW_CONFIG_JSON:
        return json_loads(row->to, JSON_DECODE_ANY, NULL);
    case DIT_ROW_CONFIG_LIST:
        return list_value(facts, row->to, error);
    case DIT_ROW_CONFIG_RATIO:
        return ratio_of(facts, row, error);
    case DIT_ROW_CONFIG_META:
        return metadata_value(facts, row, error);
    case DIT_ROW_CONFIG_ROPE:
        return rope_scaling_of(facts, row, error);
    case DIT_ROW_CONFIG_EACH:
    case DIT_ROW_CONFIG_CHOICE:
        return repeated_value(facts, row, error);
    default:
        return NULL;
    }
}

// What a configuration is made of: what was known, and over it what the rows say.
struct making {
    dit_facts *facts;
    json_t *config;
    json_t *objects; // the keys of objects that the rows made
};

// "rope_scaling.factor" is a key of an object, which takes the place of a known one.
static void set(const struct making *m, const char *key, json_t *value)
{
    char outer[64];
    const char *dot = strchr(key, '.');
    if (!dot) {
        json_object_set_new(m->config, key, value);
        return;
    }
    snprintf(outer, sizeof outer, "%.*s", (int)(dot - key), key);
    if (!json_object_get(m->objects, outer))
        json_object_set_new(m->config, outer, json_object());
    json_object_set_new(m->objects, outer, json_true());
    json_object_set_new(json_object_get(m->config, outer), dot + 1, value);
}

// A number that is known; false where there is none.
static bool known_number(const json_t *known, int64_t *value)
{
    if (json_is_integer(known))
        *value = json_integer_value(known);
    else if (json_is_boolean(known))
        *value = json_is_true(known);
    return json_is_integer(known) || json_is_boolean(known);
}

// Follows one row. One that looks at a tensor states a fact of this file; one that does not, what every release has:
// there what is known counts more.
static dit_status follow(const struct making *m, const dit_row *row, dit_error *error)
{
    dit_facts *f = m->facts;
    const char *text = row->to, *condition = row->condition;
    const json_t *known = row->kind == DIT_ROW_LET ? NULL : json_object_get(m->config, row->from);
    bool numeric = row->kind == DIT_ROW_LET || row->kind == DIT_ROW_CONFIG || row->kind == DIT_ROW_CONFIG_BOOL;
    int64_t value = 1;
    bool *fact = f->looked;
    *fact = false;
    if (condition && dit_facts_evaluate(f, &condition, &value, error))
        return error->status;
    if (!value) {
        if (*fact)
            json_object_del(m->config, row->from);
        return DIT_OK;
    }
    if (numeric && dit_facts_evaluate(f, &text, &value, error))
        return error->status;
    json_t *made = value_of(f, row, value, error);
    bool kept = !*fact && known && !json_is_null(known);
    if (numeric && kept)
        known_number(known, &value);
    if (numeric && f->count == DIT_MOST_NUMBERS)
        dit_fail(error, DIT_BAD_FILE, "%s: its family has too many numbers", dit_tensor_file_path(f->file));
    if (numeric && !error->status) {
        f->number[f->count].name = row->from;
        f->number[f->count++].value = value;
    }
    if (kept || error->status)
        json_decref(made);
    else if (made)
        set(m, row->from, made);
    return error->status;
}

dit_status dit_original_configure(dit_original *o, const json_t *known, dit_error *error)
{
    const char *class_name = json_string_value(json_object_get(known, "_class_name"));
    bool counts = json_is_object(known) && (!class_name || !strcmp(class_name, o->family->to)), looked;
    struct making m = {&o->facts, counts ? json_deep_copy(known) : json_object(), json_object()};
    json_object_set_new(m.config, "_class_name", json_string(o->family->to));
    o->facts.looked = &looked;
    for (const dit_row *r = o->family + 1; r->kind < DIT_ROW_MOVE && r->kind != DIT_ROW_FAMILY && !error->status; r++)
        if (r->kind >= DIT_ROW_LET)
            follow(&m, r, error);
    o->facts.looked = NULL;
    o->config = json_dumps(m.config, JSON_INDENT(2));
    json_decref(m.config);
    json_decref(m.objects);
    if (!o->config && !error->status)
        dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its configuration", dit_tensor_file_path(o->file));
    return error->status;
}
