// train/start.c: weights from one transformer into another of the same make.
#include "train/start.h"
#include "models/component.h"
#include <stdlib.h>
#include <string.h>

// Keys that change no weight's meaning. Those beginning with '_' belong to the software that saved the file.
static bool is_free(const char *key)
{
    static const char *const names[] = {"sample_size", "dropout", "norm_num_groups", "upcast_attention"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(key, names[i]))
            return true;
    return key[0] == '_';
}

static bool is_same(json_t *a, json_t *b)
{
    return json_is_number(a) && json_is_number(b) ? json_number_value(a) == json_number_value(b) : json_equal(a, b);
}

// Every key that both configurations hold must say the same.
static dit_status check_config(const dit_component *from, const char *config_text, dit_error *error)
{
    dit_json_file *file = NULL;
    const char *key;
    json_t *value;
    if (dit_json_parse(&file, "config.json", config_text, strlen(config_text), 0, error))
        return error->status;
    dit_json theirs = dit_json_root(from->json);
    const char *class = dit_json_text(dit_json_root(file), "_class_name", error);
    if (!error->status && dit_model_class_find(class) != from->class)
        dit_json_fail(theirs, "_class_name", error, "is %s; the recipe's model is a %s", from->class->name, class);
    json_object_foreach(dit_json_root(file).value, key, value)
    {
        json_t *found = json_object_get(theirs.value, key);
        if (error->status || is_free(key) || !found || json_is_null(found) || is_same(found, value))
            continue;
        char *has = json_dumps(found, JSON_ENCODE_ANY), *needs = json_dumps(value, JSON_ENCODE_ANY);
        dit_json_fail(theirs, key, error, "is %.60s; the recipe's model has %.60s", has ? has : "?",
                      needs ? needs : "?");
        free(has);
        free(needs);
    }
    dit_json_close(file);
    return error->status;
}

static dit_status copy(const dit_component *from, const dit_optimizer *o, dit_optimized *item, dit_error *error)
{
    char found[160], needed[160];
    const char *path = dit_tensor_file_path(from->file);
    dit_weight *w = dit_weights_find(from->weights, item->name);
    if (!w)
        return dit_fail(error, DIT_BAD_FILE, "%s: lacks %s, which the recipe's model has", path, item->name);
    w->used = true;
    if (!dit_dtype_is_float(w->array.dtype) || !dit_shape_equal(&w->array.shape, &item->shape))
        return dit_fail(error, DIT_BAD_FILE, "%s: %s is %s %s, the recipe's model has f32 %s", path, item->name,
                        dit_dtype_name(w->array.dtype), dit_shape_text(&w->array.shape, found),
                        dit_shape_text(&item->shape, needed));
    for (int64_t i = 0; i < item->count; i++)
        item->weight[i] = (float)dit_element_get(w->array.dtype, w->array.data, i);
    for (int e = 0; e < o->options.ema_count; e++)
        memcpy(item->ema[e], item->weight, (size_t)item->count * sizeof *item->weight);
    return DIT_OK;
}

dit_status dit_start_from(const char *folder, const char *config_text, dit_optimizer *o, dit_error *error)
{
    dit_component from = {0};
    if (!dit_component_open(&from, folder, DIT_F32, error) && !check_config(&from, config_text, error)) {
        for (int i = 0; i < o->count && !error->status; i++)
            copy(&from, o, &o->items[i], error);
        if (!error->status && dit_weights_check_all_used(from.weights, from.class->buffers, error))
            dit_error_locate(error, dit_tensor_file_path(from.file));
    }
    dit_component_close(&from);
    return error->status;
}
