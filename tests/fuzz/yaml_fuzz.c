// tests/fuzz/yaml_fuzz.c: any bytes as YAML up to the first zero, and the rest as an override; what loads is written
// and loads again.
#include "io/yaml.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct item {
    char *name;
    double weight;
};
struct recipe {
    int32_t steps;
    uint16_t batch;
    float lr;
    bool flip;
    int kind;
    char *note;
    struct item *items;
    uint32_t items_count;
    struct {
        int64_t layers;
    } model;
    double *ema;
    uint32_t ema_count;
};

static const cyaml_strval_t kinds[] = {{"flow", 0}, {"eps", 1}};
static const cyaml_schema_value_t number = {CYAML_VALUE_FLOAT(CYAML_FLAG_DEFAULT, double)};
static const cyaml_schema_field_t item_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct item, name, 0, 1000),
    CYAML_FIELD_FLOAT("weight", CYAML_FLAG_OPTIONAL, struct item, weight),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t item = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct item, item_fields)};
static const cyaml_schema_field_t model_fields[] = {
    {.key = "layers", .data_offset = 0, .value = {CYAML_VALUE_INT(CYAML_FLAG_OPTIONAL, int64_t)}},
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t fields[] = {
    CYAML_FIELD_INT("steps", CYAML_FLAG_OPTIONAL, struct recipe, steps),
    CYAML_FIELD_UINT("batch", CYAML_FLAG_OPTIONAL, struct recipe, batch),
    CYAML_FIELD_FLOAT("lr", CYAML_FLAG_OPTIONAL, struct recipe, lr),
    CYAML_FIELD_BOOL("flip", CYAML_FLAG_OPTIONAL, struct recipe, flip),
    CYAML_FIELD_ENUM("kind", CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, struct recipe, kind, kinds, 2),
    CYAML_FIELD_STRING_PTR("note", CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL, struct recipe, note, 0, 1000),
    CYAML_FIELD_SEQUENCE("items", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct recipe, items, &item, 0,
                         CYAML_UNLIMITED),
    CYAML_FIELD_MAPPING("model", CYAML_FLAG_OPTIONAL, struct recipe, model, model_fields),
    CYAML_FIELD_SEQUENCE("ema", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct recipe, ema, &number, 0, 100),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct recipe, fields)};

static bool same_text(const char *a, const char *b)
{
    return (!a && !b) || (a && b && !strcmp(a, b));
}

static void compare(const struct recipe *a, const struct recipe *b)
{
    bool same = a->steps == b->steps && a->batch == b->batch && a->lr == b->lr && a->flip == b->flip &&
                a->kind == b->kind && a->items_count == b->items_count && a->ema_count == b->ema_count &&
                a->model.layers == b->model.layers && same_text(a->note, b->note);
    for (uint32_t i = 0; same && i < a->items_count; i++)
        same = same_text(a->items[i].name, b->items[i].name) && a->items[i].weight == b->items[i].weight;
    for (uint32_t i = 0; same && i < a->ema_count; i++)
        same = a->ema[i] == b->ema[i] && isfinite(a->ema[i]);
    if (!same)
        abort();
}

static void write_and_load_again(const dit_yaml *document, const struct recipe *recipe)
{
    char *text;
    size_t size;
    dit_yaml *again;
    struct recipe *second;
    dit_error error = {0};
    if (dit_yaml_write(document, &text, &size, &error) ||
        dit_yaml_parse(&again, "again.yaml", text, size, NULL, NULL, 0, &error) ||
        dit_yaml_load(again, &schema, (void **)&second, &error))
        abort();
    compare(recipe, second);
    dit_yaml_free_data(&schema, second);
    dit_yaml_close(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    size_t length = 0;
    while (length < size && bytes[length])
        length++;
    char *override = NULL;
    if (length < size) {
        override = calloc(size - length, 1);
        memcpy(override, bytes + length + 1, size - length - 1);
    }
    dit_yaml *document;
    struct recipe *recipe;
    dit_error error = {0};
    if (!dit_yaml_parse(&document, "fuzz.yaml", (const char *)bytes, length, "steps: 5\nmodel: {layers: 2}\n",
                        (const char *const *)&override, override != NULL, &error)) {
        if (!dit_yaml_load(document, &schema, (void **)&recipe, &error)) {
            dit_yaml_check_range(document, "items.*.weight", 0, 1, &error);
            write_and_load_again(document, recipe);
            dit_yaml_free_data(&schema, recipe);
        }
        dit_yaml_close(document);
    }
    if (error.status && !*error.message)
        abort();
    free(override);
    return 0;
}
