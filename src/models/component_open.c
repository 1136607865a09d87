// models/component_open.c: folders and single files as networks.
#include "base/cast.h"
#include "io/mapped_file.h"
#include "models/component.h"
#include "models/original.h"
#include "models/scaled_weights.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// Weights lie in their file as they are stored, and in `copies`, when there are any, as they are used.
struct dit_component_pages {
    dit_tensor_file *file;
    dit_mapped_file copies;
};

static bool is_mapped(void *context, const dit_array *array)
{
    const struct dit_component_pages *pages = context;
    return dit_mapped_file_holds(&pages->copies, array->data) || dit_tensor_file_is_mapped(pages->file, array);
}

static void release_pages(void *context, const dit_array *array)
{
    const struct dit_component_pages *pages = context;
    if (dit_mapped_file_holds(&pages->copies, array->data))
        dit_mapped_file_release(&pages->copies, array->data, dit_array_bytes(array));
    else
        dit_tensor_file_release(pages->file, array);
}

static void prefetch_pages(void *context, const dit_array *array)
{
    const struct dit_component_pages *pages = context;
    if (dit_mapped_file_holds(&pages->copies, array->data))
        dit_mapped_file_prefetch(&pages->copies, array->data, dit_array_bytes(array));
    else
        dit_tensor_file_prefetch(pages->file, array);
}

static bool is_file(const char *path)
{
    struct stat info;
    return !stat(path, &info) && S_ISREG(info.st_mode);
}

// FOLDER/config.json, or the one beside a file.
static dit_status config_path(const dit_component *c, char *path, size_t size, dit_error *error)
{
    const char *slash = strrchr(c->folder, '/');
    int n = !is_file(c->folder) ? snprintf(path, size, "%s/config.json", c->folder)
            : slash             ? snprintf(path, size, "%.*s/config.json", (int)(slash - c->folder), c->folder)
                                : snprintf(path, size, "config.json");
    if (n < 0 || (size_t)n >= size)
        return dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", c->folder);
    return DIT_OK;
}

// The class by the names that the libraries write: `_class_name` (diffusers), `architectures` and `model_type`
// (transformers). NULL and an error when none is known.
static const dit_model_class *find_class(dit_json root, dit_error *error)
{
    const dit_model_class *class;
    const char *key = "_class_name", *name;
    char known[300];
    if (!dit_json_has(root, key) && dit_json_has(root, "architectures")) {
        key = "architectures";
        name = json_string_value(json_array_get(dit_json_list(root, key, error).value, 0));
        if (!name) {
            dit_json_fail(root, key, error, "must be a list that starts with the name of a class");
            return NULL;
        }
        class = dit_model_class_find(name);
    } else if (!dit_json_has(root, key) && dit_json_has(root, "model_type")) {
        key = "model_type";
        name = dit_json_text(root, key, error);
        class = dit_model_class_of_type(name);
    } else {
        name = dit_json_text(root, key, error);
        // A general class of earlier releases: its norms say which network it became.
        const char *norm = dit_json_text_or(root, "norm_type", "", error);
        bool pixart = !strcmp(name, "Transformer2DModel") && !strcmp(norm, "ada_norm_single");
        class = dit_model_class_find(pixart ? "PixArtTransformer2DModel" : name);
    }
    if (!class && !error->status)
        dit_json_fail(root, key, error, "is %.80s; the classes that open are %s", name,
                      dit_model_class_names(known, sizeof known));
    return error->status ? NULL : class;
}

// Finds the class that c->json names, and reads the rest of it.
static dit_status read_config(dit_component *c, dit_error *error)
{
    dit_json root = dit_json_root(c->json);
    if (!(c->class = find_class(root, error)))
        return error->status;
    c->config = calloc(1, c->class->config_bytes);
    if (!c->config)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open the model", c->folder);
    return c->class->configure(c->config, root, error);
}

static dit_status open_config(dit_component *c, dit_error *error)
{
    char path[4096];
    if (config_path(c, path, sizeof path, error) || dit_json_open(&c->json, path, 0, error))
        return error->status;
    return read_config(c, error);
}

static bool is_listed(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (!strcmp(*list, name))
            return true;
    return false;
}

// ---- Single files

// A configuration from elsewhere, at `path`, else `text`; *json stays NULL where there is none. Its `_class_name`
// becomes that of the class that it names in one way or another; one of no class stays as it is.
static dit_status open_known(const char *path, const char *text, dit_json_file **json, dit_error *error)
{
    dit_error unnamed = {0};
    *json = NULL;
    if (path && is_file(path))
        dit_json_open(json, path, 0, error);
    else if (text)
        dit_json_parse(json, "the known configuration", text, strlen(text), 0, error);
    if (error->status || !*json)
        return error->status;
    json_t *root = dit_json_root(*json).value;
    const dit_model_class *class = find_class(dit_json_root(*json), &unnamed);
    if (class && json_is_object(root) && json_object_set_new(root, "_class_name", json_string(class->name)))
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to read it", dit_json_file_name(*json));
    return DIT_OK;
}

static const char *class_of(dit_json_file *json)
{
    const char *name = json ? json_string_value(json_object_get(dit_json_root(json).value, "_class_name")) : NULL;
    return name ? name : "";
}

// Whether a configuration may be that of the file: it is of its network, or, where the names are the published ones, of
// a class that is wanted.
static bool fits(dit_json_file *json, const dit_original *original, const dit_component_options *options)
{
    return original           ? !strcmp(class_of(json), dit_original_class(original))
           : options->classes ? is_listed(options->classes, class_of(json))
                              : json != NULL;
}

// Whether the names in the file are those of an original network, whichever it is.
static bool is_of_another(dit_tensor_file *file)
{
    dit_error ignored = {0};
    dit_original *original = NULL;
    dit_original_find(&original, file, NULL, &ignored);
    dit_original_free(original);
    return original || ignored.status;
}

// The configuration of a single file: the config.json beside it where that fits, else what follows from its tensors and
// is known. *original is NULL when the names in the file are the published ones.
static dit_status choose_config(dit_component *c, const dit_component_options *options, dit_json_file *beside,
                                dit_json_file **known, dit_original **original, dit_error *error)
{
    const dit_original_query query = {options->classes, options->prefixes, *known ? dit_json_root(*known).value : NULL};
    if (dit_original_find(original, c->file, &query, error) || fits(beside, *original, options))
        return error->status;
    if (*original) {
        const char *text = dit_original_config(*original);
        return dit_json_parse(&c->json, c->folder, text, strlen(text), 0, error);
    }
    if (!fits(*known, NULL, options) || *class_of(beside) || is_of_another(c->file))
        return dit_fail(error, DIT_UNSUPPORTED,
                        "%s: holds no %s under names that are known here, and no config.json lies beside it", c->folder,
                        options->classes ? options->classes[0] : "network");
    c->json = *known;
    *known = NULL;
    return DIT_OK;
}

static dit_status open_file_config(dit_component *c, const dit_component_options *options, dit_original **original,
                                   dit_error *error)
{
    char path[4096];
    dit_json_file *beside = NULL, *known = NULL;
    if (!config_path(c, path, sizeof path, error) && !open_known(path, NULL, &beside, error) &&
        !open_known(options->known_path, options->known_text, &known, error))
        choose_config(c, options, beside, &known, original, error);
    if (!error->status && !c->json) {
        c->json = beside;
        beside = NULL;
    }
    dit_json_close(known);
    dit_json_close(beside);
    return error->status ? error->status : read_config(c, error);
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

// Adds the tensors of a file that has the published names.
static dit_status add_published(dit_component *c, dit_error *error)
{
    for (size_t i = 0; i < dit_tensor_file_count(c->file) && !error->status; i++) {
        char text[512];
        dit_array stored;
        const char *stored_name = dit_tensor_file_at(c->file, i).name;
        const char *name = todays_name(c->class, stored_name, text, sizeof text);
        if (dit_is_scale_name(stored_name))
            continue;
        if (!name)
            dit_fail(error, DIT_BAD_FILE, "%s: %.100s...: the tensor's name is too long", c->folder, stored_name);
        else if (!dit_tensor_file_array(c->file, i, &stored, error) &&
                 !dit_weights_add(c->weights, name, stored, false, error))
            dit_scale_weight(c->file, stored_name, dit_weights_find(c->weights, name), error);
    }
    return error->status;
}

// Whether a weight is not used as it is stored: float weights are rounded to `dtype` where it is not f32, and f64 ones
// in any case. Quantised ones stay, but for those that are to be multiplied by a scale.
static bool is_converted(const dit_weight *w, dit_dtype dtype)
{
    dit_dtype from = w->array.dtype;
    return (dit_dtype_is_float(from) && (from == DIT_F64 || (dtype != DIT_F32 && from != dtype))) || w->scale != 1;
}

// Elements of an array, which hold no part of a block.
static dit_array part_of(const dit_array *a, int64_t first, int64_t count)
{
    return (dit_array){a->dtype, DIT_SHAPE(count), (char *)a->data + first * (int64_t)dit_dtype_size(a->dtype)};
}

// Writes a weight in the dtype of `to`, multiplied by its scale, and lets go of the pages of both piece by piece.
static void copy_converted(dit_component *c, const dit_weight *w, const dit_array *to)
{
    enum { PIECE = 1 << 20 }; // elements
    int64_t count = dit_shape_count(&to->shape);
    for (int64_t i = 0; i < count; i += PIECE) {
        int64_t n = count - i < PIECE ? count - i : PIECE;
        dit_array from = part_of(&w->array, i, n), part = part_of(to, i, n);
        if (w->scale == 1)
            dit_cast_floats(to->dtype, part.data, from.dtype, from.data, n);
        else
            for (int64_t k = 0; k < n; k++)
                dit_element_set(to->dtype, part.data, k,
                                (double)((float)dit_element_get(from.dtype, from.data, k) * w->scale));
        if (!w->owned)
            release_pages(c->pages, &from);
        if (dit_mapped_file_holds(&c->pages->copies, part.data))
            release_pages(c->pages, &part);
    }
}

// Puts a copy in `dtype`, multiplied by the weight's scale, in the place of a weight; at `place`, or in memory when
// that is NULL.
static dit_status convert(dit_component *c, dit_weight *w, dit_dtype dtype, void *place, dit_error *error)
{
    dit_array to = {dtype, w->array.shape, place};
    if (!place && dit_array_alloc(&to, dtype, w->array.shape, error))
        return error->status;
    copy_converted(c, w, &to);
    if (w->owned)
        free(w->array.data);
    w->array = to;
    w->owned = !place;
    w->scale = 1;
    return DIT_OK;
}

// Bytes of a weight as it is used, up to where the next one may begin.
static size_t place_of(const dit_weight *w, dit_dtype dtype)
{
    const dit_array as_used = {dtype, w->array.shape, NULL};
    return (dit_array_bytes(&as_used) + 63) & ~(size_t)63;
}

static dit_status convert_weights(dit_component *c, const dit_component_options *o, dit_error *error)
{
    size_t bytes = 0, at = 0;
    for (int i = 0; i < dit_weights_count(c->weights); i++)
        if (is_converted(dit_weights_at(c->weights, i), o->dtype))
            bytes += place_of(dit_weights_at(c->weights, i), o->dtype);
    if (o->bounded && bytes && dit_mapped_file_scratch(&c->pages->copies, bytes, error))
        return error->status;
    for (int i = 0; i < dit_weights_count(c->weights) && !error->status; i++) {
        dit_weight *w = dit_weights_at(c->weights, i);
        size_t next = at + place_of(w, o->dtype);
        if (!is_converted(w, o->dtype))
            continue;
        if (o->bounded)
            convert(c, w, o->dtype, (char *)(uintptr_t)c->pages->copies.data + at, error);
        else
            convert(c, w, o->dtype, NULL, error);
        at = next;
    }
    return error->status;
}

static dit_status open_weights(dit_component *c, const dit_original *original, const dit_component_options *o,
                               dit_error *error)
{
    c->weights = dit_weights_new();
    c->pages = calloc(1, sizeof *c->pages);
    if (!c->weights || !c->pages)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open the model", c->folder);
    c->pages->file = c->file;
    if ((original ? dit_original_weights(original, c->weights, error) : add_published(c, error)) ||
        convert_weights(c, o, error))
        return error->status;
    dit_weights_set_short(c->weights, dit_tensor_file_kind(c->file) == DIT_FILE_GGUF);
    dit_weights_set_pager(c->weights, &(dit_weights_pager){c->pages, is_mapped, release_pages, prefetch_pages});
    return DIT_OK;
}

static bool has_tensors_of(const dit_weights *weights, const char *start)
{
    for (int i = 0; i < dit_weights_count(weights); i++)
        if (!strncmp(dit_weights_at(weights, i)->name, start, strlen(start)))
            return true;
    return false;
}

// An autoencoder's methods have weights of their own: describes both, so that all are known to be used and to fit. Some
// single files hold one half alone.
static dit_status declare_autoencoder(dit_component *c, bool may_be_half, dit_error *error)
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
        if (may_be_half && !has_tensors_of(c->weights, method == DIT_ENCODE ? "encoder." : "decoder."))
            continue;
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

// Class, configuration and the file of the weights. *original: what its names are; freed by the caller.
static dit_status open_file(dit_component *c, const char *path, const dit_component_options *options,
                            dit_original **original, dit_error *error)
{
    *original = NULL;
    *c = (dit_component){.folder = strdup(path), .dtype = options->dtype};
    if (!c->folder)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open the model", path);
    char variant[4096];
    const char *weights = path;
    if (options->variant && dit_tensor_file_variant(path, options->variant, variant, sizeof variant))
        weights = variant;
    if (!is_file(path))
        return open_config(c, error) ? error->status : dit_tensor_file_open(&c->file, weights, error);
    return dit_tensor_file_open(&c->file, path, error) ? error->status : open_file_config(c, options, original, error);
}

static const dit_component_options defaults = {.dtype = DIT_F32};

dit_status dit_component_open_with(dit_component *c, const char *path, const dit_component_options *options,
                                   dit_error *error)
{
    dit_original *original;
    options = options ? options : &defaults;
    if (!open_file(c, path, options, &original, error) && !open_weights(c, original, options, error) &&
        c->class->autoencoder)
        declare_autoencoder(c, original, error);
    dit_original_free(original);
    return error->status;
}

dit_status dit_component_describe_file(dit_component *c, const char *path, const dit_component_options *options,
                                       dit_error *error)
{
    dit_original *original;
    open_file(c, path, options ? options : &defaults, &original, error);
    dit_original_free(original);
    return error->status;
}

dit_status dit_component_open(dit_component *c, const char *path, dit_dtype dtype, dit_error *error)
{
    return dit_component_open_with(c, path, &(dit_component_options){.dtype = dtype}, error);
}

void dit_component_close(dit_component *c)
{
    dit_weights_free(c->weights);
    if (c->pages)
        dit_mapped_file_close(&c->pages->copies);
    free(c->pages);
    dit_tensor_file_close(c->file);
    dit_json_close(c->json);
    free(c->config);
    free(c->folder);
    *c = (dit_component){0};
}
