// tests/fuzz/config_fuzz.c: any bytes as the configuration of a network, described for arguments of any shape, and as
// that of a sampler, whose times are then set.
//
// The bytes are JSON: {"method": "decode", "arguments": {"latents": [1, 4, 8, 8], "sizes": ["i64", 2, [8, 8]]},
// "config":
// {...}}, so that a config.json makes a seed (tools/fixtures/config_seeds.py).
#include "models/model.h"
#include "sample/sampler.h"
#include <stdlib.h>
#include <string.h>

// A network without weights declares whatever its configuration asks for. A million layers are then a million layers:
// with weights they end at the first one that the file lacks, and so they do here.
static bool is_deep(const json_t *config)
{
    const char *key;
    const json_t *value;
    json_object_foreach((json_t *)config, key, value)
    {
        bool counts = strstr(key, "layers") || strstr(key, "blocks") || strstr(key, "depth") || strstr(key, "experts");
        json_int_t largest = json_integer_value(value);
        for (size_t i = 0; i < json_array_size(value); i++)
            if (json_integer_value(json_array_get(value, i)) > largest)
                largest = json_integer_value(json_array_get(value, i));
        if (counts && largest > 32)
            return true;
    }
    return false;
}

static dit_dtype dtype_of(const json_t *item)
{
    const char *name = json_string_value(item);
    dit_dtype dtype;
    return name && dit_dtype_from_name(name, &dtype) && !dit_dtype_is_block(dtype) ? dtype : DIT_F32;
}

// ["i64", 1, 2, [8, 8]]: its dtype (f32 when left out), its extents, and the elements of what must be known (0 when
// left out).
static void add_argument(dit_graph *g, const dit_argument *known, const char *name, const json_t *text,
                         dit_named_tensors *in)
{
    dit_shape shape = {0};
    dit_dtype dtype = dtype_of(json_array_get(text, 0));
    size_t i = json_is_string(json_array_get(text, 0));
    for (; json_is_integer(json_array_get(text, i)); i++) {
        int64_t extent = json_integer_value(json_array_get(text, i));
        if (extent < 1 || extent > 4096 || shape.rank == DIT_MAX_RANK)
            return;
        shape.dim[shape.rank++] = extent;
    }
    if (shape.rank < known->least_rank || shape.rank > known->most_rank || in->count == DIT_MAX_ARGUMENTS)
        return;
    if (known->need != DIT_CONSTANT) {
        dit_named_add(in, name, dit_input(g, name, dtype, shape));
        return;
    }
    dit_error error = {0};
    dit_array array;
    const json_t *elements = json_array_get(text, i);
    if (dit_shape_count(&shape) > 1 << 16)
        return;
    if (dit_array_alloc(&array, dtype, shape, &error))
        abort();
    for (int64_t k = 0; k < dit_shape_count(&shape); k++)
        dit_element_set(dtype, array.data, k, (double)json_integer_value(json_array_get(elements, (size_t)k)));
    dit_named_add(in, name, dit_constant(g, dtype, shape, array.data));
    free(array.data);
}

static void add_arguments(dit_graph *g, const dit_argument *known, json_t *arguments, dit_named_tensors *in)
{
    for (const dit_argument *a = known; a->name; a++) {
        size_t n = strlen(a->name);
        const char *name;
        json_t *extents;
        json_object_foreach(arguments, name, extents)
        {
            if (a->name[n - 1] == '*' ? !strncmp(name, a->name, n - 1) : !strcmp(name, a->name))
                add_argument(g, a, name, extents, in);
        }
    }
    for (const dit_argument *a = known; a->name; a++)
        if ((a->need == DIT_REQUIRED || a->need == DIT_COMPLEX) && dit_is_none(dit_named_find(in, a->name)))
            in->count = -1;
}

static void describe(const dit_model_class *class, const void *config, dit_json root, bool declared)
{
    static const char *const methods[DIT_METHODS] = {"forward", "encode", "decode"};
    const char *wanted = json_string_value(json_object_get(root.value, "method"));
    dit_method method = DIT_FORWARD;
    for (int m = 0; m < DIT_METHODS; m++)
        if (wanted && !strcmp(wanted, methods[m]))
            method = (dit_method)m;
    if (!class->method[method].describe)
        return;
    dit_weights *weights = declared ? NULL : dit_weights_new();
    dit_graph *g = dit_graph_new(weights);
    dit_named_tensors in = {.dtype = DIT_F32}, out = {0};
    if (!g)
        abort();
    add_arguments(g, class->method[method].arguments, json_object_get(root.value, "arguments"), &in);
    if (in.count >= 0) {
        class->method[method].describe(g, config, &in, &out);
        if (dit_graph_error(g)->status ? !*dit_graph_error(g)->message : !out.count)
            abort(); // a failure says why, and a success has results
    }
    dit_graph_free(g);
    dit_weights_free(weights);
}

static void open_network(dit_json root, dit_json json)
{
    const char *name = json_string_value(json_object_get(json.value, "_class_name"));
    const dit_model_class *class = name ? dit_model_class_find(name) : NULL;
    if (!class && (name = json_string_value(json_object_get(json.value, "model_type"))))
        class = dit_model_class_of_type(name);
    if (!class)
        return;
    dit_error error = {0};
    void *config = calloc(1, class->config_bytes);
    if (!config)
        abort();
    if (class->configure(config, json, &error)) {
        if (!*error.message)
            abort();
    } else {
        dit_autoencoder_facts facts;
        if (class->autoencoder)
            class->autoencoder(config, &facts);
        describe(class, config, root, !is_deep(json.value));
    }
    free(config);
}

static void open_sampler(dit_json json)
{
    static const int steps[] = {1, 2, 7, 50};
    dit_error error = {0};
    dit_sampler *s;
    if (dit_sampler_new(&s, NULL, json, &error)) {
        if (!*error.message || s)
            abort();
        return;
    }
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        error = (dit_error){0};
        dit_sampler_arguments arguments = {.given[DIT_MU] = s->dynamic_shift, .value[DIT_MU] = 0.8};
        if (dit_sampler_set_timesteps(s, steps[i], &arguments, &error) ||
            dit_sampler_begin(s, &(dit_sample_size){1, 2, 3}, 2, 0, &error)) {
            if (!*error.message)
                abort();
            continue;
        }
        float sample[6] = {1, -1, 2, 0.5f, 0, 3}, output[6] = {0.5f, 1, -2, 0, 0.25f, 1},
              noise[6] = {1, 0, -1, 2, 1, 0};
        while (s->next < s->calls) {
            int call = s->next;
            dit_sampler_scale_input(s, sample, sample);
            dit_sampler_step(s, output, noise, sample, &error);
            if (s->next != call + 1 && !error.status)
                abort();
            if (error.status)
                break;
        }
    }
    dit_sampler_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    dit_json_file *file;
    dit_error error = {0};
    if (dit_json_parse(&file, "fuzz.json", (const char *)bytes, size, DIT_JSON_MINUS_INFINITY, &error)) {
        if (!*error.message)
            abort();
        return 0;
    }
    dit_json root = dit_json_root(file);
    if (dit_json_has(root, "config")) {
        dit_json config = dit_json_object(root, "config", &error);
        if (!error.status)
            open_network(root, config);
    } else if (dit_json_has(root, "_class_name")) {
        open_sampler(root);
    }
    dit_json_close(file);
    return 0;
}
