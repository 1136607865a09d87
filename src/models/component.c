// models/component.c: folders as networks, files of tensors as arguments.
#include "models/component.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void release_pages(void *context, const dit_weight *weight)
{
    dit_safetensors_release(context, &weight->array);
}

// The class by the names that the libraries write: `_class_name` (diffusers), `architectures` and `model_type`
// (transformers).
static dit_status find_class(dit_component *c, dit_json root, dit_error *error)
{
    const char *key = "_class_name", *name;
    char known[300];
    if (!dit_json_has(root, key) && dit_json_has(root, "architectures")) {
        key = "architectures";
        name = json_string_value(json_array_get(dit_json_list(root, key, error).value, 0));
        if (!name)
            return dit_json_fail(root, key, error, "must be a list that starts with the name of a class");
        c->class = dit_model_class_find(name);
    } else if (!dit_json_has(root, key) && dit_json_has(root, "model_type")) {
        key = "model_type";
        name = dit_json_text(root, key, error);
        c->class = dit_model_class_of_type(name);
    } else {
        name = dit_json_text(root, key, error);
        c->class = dit_model_class_find(name);
    }
    if (c->class || error->status)
        return error->status;
    return dit_json_fail(root, key, error, "is %.80s; the classes that open are %s", name,
                         dit_model_class_names(known, sizeof known));
}

static dit_status open_config(dit_component *c, dit_error *error)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/config.json", c->folder) >= sizeof path)
        return dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", c->folder);
    dit_status status = dit_json_open(&c->json, path, 0, error);
    if (status)
        return status;
    dit_json root = dit_json_root(c->json);
    if (find_class(c, root, error))
        return error->status;
    c->config = calloc(1, c->class->config_bytes);
    if (!c->config)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open the model", path);
    return c->class->configure(c->config, root, error);
}

// A copy of `from` rounded to `dtype`, malloc'd.
static dit_status round_to(dit_array from, dit_dtype dtype, dit_array *to, dit_error *error)
{
    dit_status status = dit_array_alloc(to, dtype, from.shape, error);
    if (status)
        return status;
    int64_t n = dit_shape_count(&from.shape);
#pragma omp parallel for if (n > 1 << 16)
    for (int64_t i = 0; i < n; i++)
        dit_element_set(dtype, to->data, i, dit_element_get(from.dtype, from.data, i));
    return DIT_OK;
}

// Today's name of a stored tensor; `text` has room for it. NULL when it does not fit.
static const char *todays_name(const dit_model_class *class, const char *name, char *text, size_t size)
{
    for (const char *const *part = class->older_weights; part && *part; part += 2) {
        const char *at = strstr(name, part[0]);
        if (!at)
            continue;
        int n = snprintf(text, size, "%.*s%s%s", (int)(at - name), name, part[1], at + strlen(part[0]));
        return n >= 0 && (size_t)n < size ? text : NULL;
    }
    return name;
}

static dit_status open_weights(dit_component *c, dit_dtype dtype, dit_error *error)
{
    dit_status status = dit_safetensors_open(&c->file, c->folder, error);
    c->weights = dit_weights_new();
    if (!status && !c->weights)
        status = dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open the model", c->folder);
    for (size_t i = 0; !status && i < dit_safetensors_count(c->file); i++) {
        char text[512];
        const char *stored_name = dit_safetensors_at(c->file, i)->name,
                   *name = todays_name(c->class, stored_name, text, sizeof text);
        dit_array stored, rounded;
        if (!name) {
            status =
                dit_fail(error, DIT_BAD_FILE, "%s: %.100s...: the tensor's name is too long", c->folder, stored_name);
            break;
        }
        status = dit_safetensors_array(c->file, i, &stored, error);
        if (status)
            break;
        bool convert = dit_dtype_is_float(stored.dtype) &&
                       (stored.dtype == DIT_F64 || (dtype != DIT_F32 && stored.dtype != dtype));
        if (!convert) {
            status = dit_weights_add(c->weights, name, stored, false, error);
        } else if (!(status = round_to(stored, dtype, &rounded, error))) {
            dit_safetensors_release(c->file, &stored);
            status = dit_weights_add(c->weights, name, rounded, true, error);
        }
    }
    if (!status)
        dit_weights_on_release(c->weights, release_pages, c->file);
    return status;
}

// An autoencoder's methods have weights of their own: describes both, so that all are known to be used and to fit.
static dit_status declare_autoencoder(dit_component *c, dit_error *error)
{
    dit_autoencoder_facts facts;
    dit_graph *g = dit_graph_new(c->weights);
    if (!g)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to describe the model", c->folder);
    c->class->autoencoder(c->config, &facts);
    for (dit_method method = DIT_ENCODE; method <= DIT_DECODE; method++) {
        int64_t side = method == DIT_ENCODE ? facts.ratio : 1,
                channels = method == DIT_ENCODE ? facts.in_channels : facts.latent_channels;
        dit_named_tensors in = {0}, out = {0};
        dit_named_add(
            &in, "x",
            dit_input(g, method == DIT_ENCODE ? "pixels" : "latents", DIT_F32, DIT_SHAPE(1, channels, side, side)));
        c->class->method[method].describe(g, c->config, &in, &out);
    }
    if (dit_graph_error(g)->status)
        dit_fail(error, dit_graph_error(g)->status, "%s: %s", c->folder, dit_graph_error(g)->message);
    dit_graph_free(g);
    return error->status;
}

dit_status dit_component_open(dit_component *c, const char *folder, dit_dtype dtype, dit_error *error)
{
    *c = (dit_component){.folder = strdup(folder)};
    if (!c->folder)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open the model", folder);
    if (open_config(c, error) || open_weights(c, dtype, error))
        return error->status;
    return c->class->autoencoder ? declare_autoencoder(c, error) : DIT_OK;
}

void dit_component_close(dit_component *c)
{
    dit_weights_free(c->weights);
    dit_safetensors_close(c->file);
    dit_json_close(c->json);
    free(c->config);
    free(c->folder);
    *c = (dit_component){0};
}

// "encoder_hidden_states.*" takes "encoder_hidden_states.0".
static bool takes(const dit_argument *a, const char *name)
{
    size_t n = strlen(a->name);
    return a->name[n - 1] == '*' ? !strncmp(a->name, name, n - 1) : !strcmp(a->name, name);
}

static bool is_listed(const char *const *list, const char *name)
{
    for (; list && *list; list++)
        if (!strcmp(*list, name))
            return true;
    return false;
}

// The argument that a tensor of the file is, checked; NULL after an error.
static const dit_argument *find_argument(const dit_component *c, dit_method method, const dit_safetensors_entry *e,
                                         const char *file, dit_error *error)
{
    char names[300] = "";
    for (const dit_argument *a = c->class->method[method].arguments; a->name; a++) {
        if (takes(a, e->name)) {
            if (e->dtype == DIT_DTYPES)
                dit_fail(error, DIT_UNSUPPORTED, "%s: %s has the dtype %s, which nothing here computes with", file,
                         e->name, e->dtype_name);
            else if (e->rank < a->least_rank || e->rank > a->most_rank)
                dit_fail(error, DIT_BAD_FILE, "%s: %s has %d dimensions; the model takes %d%s", file, e->name, e->rank,
                         e->rank < a->least_rank ? a->least_rank : a->most_rank,
                         a->least_rank == a->most_rank ? "" : " or so");
            for (int k = 0; !error->status && k < e->rank; k++)
                if (e->dim[k] < 1)
                    dit_fail(error, DIT_BAD_FILE, "%s: %s is empty", file, e->name);
            return error->status ? NULL : a;
        }
        size_t n = strlen(names);
        snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "", a->name);
    }
    dit_fail(error, DIT_BAD_FILE, "%s: %.100s is not an argument of %s, which takes %s", file, e->name, c->class->name,
             names);
    return NULL;
}

// Entry `i` of the file as a value of the graph: a constant when the description looks at it, an input otherwise.
static dit_tensor argument_value(dit_graph *g, const dit_argument *a, dit_safetensors *inputs, size_t i,
                                 dit_dtype dtype, dit_error *error)
{
    const dit_safetensors_entry *e = dit_safetensors_at(inputs, i);
    dit_shape shape = {.rank = e->rank};
    dit_array array;
    memcpy(shape.dim, e->dim, sizeof shape.dim);
    if (a->need != DIT_CONSTANT)
        return dit_input(g, e->name, dit_dtype_is_float(e->dtype) ? dtype : e->dtype, shape);
    if (dit_safetensors_array(inputs, i, &array, error))
        return DIT_NONE;
    return dit_constant(g, array.dtype, array.shape, array.data);
}

dit_status dit_component_describe(const dit_component *c, dit_graph *g, dit_method method, dit_safetensors *inputs,
                                  const char *const *others, dit_dtype dtype, dit_named_tensors *out, dit_error *error)
{
    const char *file = dit_safetensors_path(inputs);
    dit_named_tensors in = {.dtype = dtype};
    if (!c->class->method[method].describe)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--method: %s has no such method", c->class->name);
    for (size_t i = 0; i < dit_safetensors_count(inputs); i++) {
        const dit_safetensors_entry *e = dit_safetensors_at(inputs, i);
        if (is_listed(others, e->name))
            continue;
        if (in.count == DIT_MAX_ARGUMENTS)
            return dit_fail(error, DIT_BAD_FILE, "%s: more than %d tensors", file, DIT_MAX_ARGUMENTS);
        const dit_argument *a = find_argument(c, method, e, file, error);
        dit_tensor value = a ? argument_value(g, a, inputs, i, dtype, error) : DIT_NONE;
        if (error->status)
            return error->status;
        dit_named_add(&in, e->name, value);
    }
    for (const dit_argument *a = c->class->method[method].arguments; a->name; a++)
        if (a->need == DIT_REQUIRED && dit_is_none(dit_named_find(&in, a->name)) && !dit_graph_error(g)->status)
            return dit_fail(error, DIT_BAD_FILE, "%s: %s is missing; %s needs it", file, a->name, c->class->name);
    c->class->method[method].describe(g, c->config, &in, out);
    const dit_error *fault = dit_graph_error(g);
    if (fault->status == DIT_BAD_ARGUMENT) // shapes that do not fit: the file is at fault
        return dit_fail(error, DIT_BAD_FILE, "%s does not fit %s: %s", file, c->folder, fault->message);
    if (fault->status)
        return dit_fail(error, fault->status, "%s: %s", c->folder, fault->message);
    return DIT_OK;
}

dit_status dit_component_fill(const dit_plan *plan, dit_safetensors *inputs, dit_error *error)
{
    for (size_t i = 0; i < dit_safetensors_count(inputs); i++) {
        const char *name = dit_safetensors_at(inputs, i)->name;
        dit_array to = dit_plan_input(plan, name), from;
        if (!to.data)
            continue;
        if (dit_safetensors_array(inputs, i, &from, error))
            return error->status;
        int64_t n = dit_shape_count(&from.shape);
        if (from.dtype == to.dtype)
            memcpy(to.data, from.data, dit_array_bytes(&to));
        else
            for (int64_t k = 0; k < n; k++)
                dit_element_set(to.dtype, to.data, k, dit_element_get(from.dtype, from.data, k));
    }
    if (dit_plan_check_inputs(plan, error))
        dit_error_locate(error, dit_safetensors_path(inputs));
    return error->status;
}
