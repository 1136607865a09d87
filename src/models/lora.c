// models/lora.c: files of low-rank adapters, and which layer each is for.
#include "models/lora.h"
#include "base/cast.h"
#include "models/lora_private.h"
#include "models/original.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// How the tensors of an adapter end.
static const struct {
    const char *down, *up;
} endings[] = {
    {".lora_A.weight", ".lora_B.weight"},
    {".lora_A.default.weight", ".lora_B.default.weight"},
    {".lora_down.weight", ".lora_up.weight"},
    {".lora.down.weight", ".lora.up.weight"},
    {".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"},
};
enum { ENDINGS = sizeof endings / sizeof *endings };
static const char *const magnitudes[] = {".lora_magnitude_vector", ".lora_magnitude_vector.weight",
                                         ".lora_magnitude_vector.default.weight", ".dora_scale", NULL};

// What stands before a layer's name, and whether its dots are underscores there.
static const struct {
    const char *text;
    dit_lora_part part;
    bool underscored;
} prefixes[] = {
    {"base_model.model.", DIT_LORA_TRANSFORMER, false},
    {"model.diffusion_model.", DIT_LORA_TRANSFORMER, false},
    {"diffusion_model.", DIT_LORA_TRANSFORMER, false},
    {"transformer.", DIT_LORA_TRANSFORMER, false},
    {"unet.", DIT_LORA_TRANSFORMER, false},
    {"lora_unet_", DIT_LORA_TRANSFORMER, true},
    {"lora_transformer_", DIT_LORA_TRANSFORMER, true},
    {"text_encoder.", DIT_LORA_TEXT_ENCODER, false},
    {"text_encoder_2.", DIT_LORA_TEXT_ENCODER_2, false},
    {"text_encoder_3.", DIT_LORA_TEXT_ENCODER_3, false},
    {"lora_te_", DIT_LORA_TEXT_ENCODER, true},
    {"lora_te1_", DIT_LORA_TEXT_ENCODER, true},
    {"lora_te2_", DIT_LORA_TEXT_ENCODER_2, true},
    {"lora_te3_", DIT_LORA_TEXT_ENCODER_3, true},
    {"", DIT_LORA_TRANSFORMER, false},
};

struct reader {
    dit_tensor_file *file;
    dit_weights *weights;
    const char *class_name;
    const dit_lora *lora;
    dit_lora_settings settings;
    int applied;
    dit_error *error;
};

static bool ends_in(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n > m && !strcmp(name + n - m, ending);
}

// ---- Reading one adapter

// The tensor STEM + ending as f32, malloc'd; *present says whether there is one.
static float *read_floats(struct reader *r, const char *stem, int stem_length, const char *ending, dit_shape *shape,
                          bool *present)
{
    char name[600];
    dit_array array;
    int n = snprintf(name, sizeof name, "%.*s%s", stem_length, stem, ending);
    ptrdiff_t found = n > 0 && (size_t)n < sizeof name ? dit_tensor_file_find(r->file, name) : -1;
    *present = found >= 0;
    if (!*present || dit_tensor_file_array(r->file, (size_t)found, &array, r->error))
        return NULL;
    int64_t count = dit_shape_count(&array.shape);
    float *values = malloc((size_t)count * sizeof *values + 1);
    if (!dit_dtype_is_float(array.dtype) || count < 1)
        dit_fail(r->error, DIT_UNSUPPORTED, "%s: tensor \"%.200s\" is empty or no float tensor",
                 dit_tensor_file_path(r->file), name);
    else if (!values)
        dit_fail(r->error, DIT_NO_MEMORY, "%s: no memory for its tensors", dit_tensor_file_path(r->file));
    else
        dit_cast_floats(DIT_F32, values, array.dtype, array.data, count);
    *shape = array.shape;
    return values;
}

static void read_magnitude(struct reader *r, dit_adapter *a, const char *stem, int length)
{
    dit_shape shape = DIT_SCALAR;
    bool present = false;
    for (const char *const *m = magnitudes; *m && !present; m++)
        a->magnitude = read_floats(r, stem, length, *m, &shape, &present);
    bool rows = shape.rank == 1 || (shape.rank == 2 && shape.dim[1] == 1);
    if (present && !r->error->status && (!rows || shape.dim[0] != a->rows))
        dit_fail(r->error, DIT_UNSUPPORTED, "%s: the magnitudes of \"%.200s\" are not one for each row",
                 dit_tensor_file_path(r->file), a->name);
}

static void read_bias(struct reader *r, dit_adapter *a, const char *stem, int length, const char *up)
{
    char ending[60];
    dit_shape shape = DIT_SCALAR;
    bool present;
    snprintf(ending, sizeof ending, "%.*s.bias", (int)(strlen(up) - strlen(".weight")), up);
    a->bias = read_floats(r, stem, length, ending, &shape, &present);
    if (present && !r->error->status && (shape.rank != 1 || shape.dim[0] != a->rows || a->magnitude))
        dit_fail(r->error, DIT_UNSUPPORTED,
                 "%s: the biases of \"%.200s\" are not one for each row, or beside magnitudes",
                 dit_tensor_file_path(r->file), a->name);
}

// `name` is that of its first factor, which ends in endings[kind].down; the layer's begins at `layer`.
static dit_status read_adapter(struct reader *r, const char *name, int kind, const char *layer, dit_adapter *a)
{
    dit_shape up = DIT_SCALAR, down = DIT_SCALAR, one = DIT_SCALAR;
    bool has_up, has_down, has_alpha;
    int length = (int)(strlen(name) - strlen(endings[kind].down));
    *a = (dit_adapter){.file = dit_tensor_file_path(r->file), .name = name};
    a->down = read_floats(r, name, length, endings[kind].down, &down, &has_down);
    a->up = read_floats(r, name, length, endings[kind].up, &up, &has_up);
    float *alpha = read_floats(r, name, length, ".alpha", &one, &has_alpha);
    if (!r->error->status &&
        (!has_up || up.rank < 2 || down.rank < 2 || dit_shape_count(&up) != up.dim[0] * up.dim[1] ||
         up.dim[1] != down.dim[0] || dit_shape_count(&one) != 1))
        dit_fail(r->error, DIT_BAD_FILE, "%s: \"%.200s\" and its counterpart do not form an adapter",
                 dit_tensor_file_path(r->file), name);
    if (!r->error->status) {
        a->rows = up.dim[0];
        a->rank = down.dim[0];
        a->columns = dit_shape_count(&down) / a->rank;
        double scale =
            dit_lora_settings_scale(&r->settings, layer, (size_t)(name + length - layer), alpha, a->rank, r->error);
        a->scale = (float)(r->lora->strength * scale);
        read_magnitude(r, a, name, length);
        read_bias(r, a, name, length, endings[kind].up);
    }
    free(alpha);
    return r->error->status;
}

static void free_adapter(dit_adapter *a)
{
    free(a->up);
    free(a->down);
    free(a->magnitude);
    free(a->bias);
}

// ---- Finding its layer

// Whether a weight's name is `name`; with `underscored`, with underscores for its dots.
static bool same_name(const char *weight, const char *name, size_t length, bool underscored)
{
    for (size_t i = 0; i < length; i++)
        if (weight[i] != name[i] && !(underscored && weight[i] == '.' && name[i] == '_'))
            return false;
    return !strcmp(weight + length, ".weight");
}

static dit_weight *find_layer(const struct reader *r, const char *name, size_t length, bool underscored)
{
    for (int i = 0; i < dit_weights_count(r->weights); i++) {
        dit_weight *w = dit_weights_at(r->weights, i);
        if (strlen(w->name) == length + strlen(".weight") && same_name(w->name, name, length, underscored))
            return w;
    }
    return NULL;
}

// CLIP's networks are saved with "text_model." before their layers' names or without, and adapters name them both ways.
static dit_weight *find_text_layer(const struct reader *r, const char *name, size_t length, bool underscored)
{
    static const char start[] = "text_model.";
    const size_t skipped = sizeof start - 1;
    char longer[600];
    bool has = length > skipped && !strncmp(name, start, skipped - 1) && strchr("._", name[skipped - 1]);
    if (has)
        return find_layer(r, name + skipped, length - skipped, underscored);
    int n = snprintf(longer, sizeof longer, "%s%.*s", start, (int)length, name);
    return (size_t)n < sizeof longer ? find_layer(r, longer, (size_t)n, underscored) : NULL;
}

// Applies an adapter for a layer of the original network: its rows go to the layers that it became.
static bool apply_renamed(struct reader *r, const dit_adapter *a, const char *name, size_t length, bool underscored)
{
    dit_renamed renamed;
    char full[600];
    int64_t first = 0;
    snprintf(full, sizeof full, "%.*s.weight", (int)length, name);
    if (!dit_original_rename(r->class_name, full, underscored, r->weights, &renamed))
        return false;
    for (int i = 0; i < renamed.count && !r->error->status; i++) {
        dit_weight *w = dit_weights_find(r->weights, renamed.name[i]);
        if (!w)
            return false;
        if (dit_adapter_apply(a, first, renamed.swapped, r->lora->keep_mapped, r->weights, w, r->error))
            break;
        first += renamed.consecutive ? w->array.shape.dim[0] : 0;
    }
    return true;
}

static dit_status apply_adapter(struct reader *r, const char *name, int kind)
{
    dit_adapter a;
    size_t length = strlen(name) - strlen(endings[kind].down), p = 0;
    while (strncmp(name, prefixes[p].text, strlen(prefixes[p].text)))
        p++; // the last one is empty
    if (prefixes[p].part != r->lora->part)
        return DIT_OK;
    const char *layer = name + strlen(prefixes[p].text);
    if (!read_adapter(r, name, kind, layer, &a)) {
        size_t layer_length = length - strlen(prefixes[p].text);
        dit_weight *w = find_layer(r, layer, layer_length, prefixes[p].underscored);
        if (!w && r->lora->part != DIT_LORA_TRANSFORMER)
            w = find_text_layer(r, layer, layer_length, prefixes[p].underscored);
        if (w)
            dit_adapter_apply(&a, 0, false, r->lora->keep_mapped, r->weights, w, r->error);
        else if (!apply_renamed(r, &a, layer, layer_length, prefixes[p].underscored))
            dit_fail(r->error, DIT_BAD_FILE, "%s: \"%.200s\" is for no layer of this %s", dit_tensor_file_path(r->file),
                     name, r->class_name);
        r->applied++;
    }
    free_adapter(&a);
    return r->error->status;
}

// ---- The file

// Whether the file has STEM + the first factor's ending, where `name` is STEM + `ending`; of kind `kind`, or of any
// (-1).
static bool has_first_factor(const struct reader *r, const char *name, const char *ending, int kind)
{
    char first[600];
    int stem = (int)(strlen(name) - strlen(ending));
    for (int i = 0; i < ENDINGS; i++) {
        int n = snprintf(first, sizeof first, "%.*s%s", stem, name, endings[i].down);
        if ((kind < 0 || kind == i) && (size_t)n < sizeof first && dit_tensor_file_find(r->file, first) >= 0)
            return true;
    }
    return false;
}

// Every tensor must be a part of an adapter: a file of another kind would otherwise be applied in part.
static dit_status check_name(struct reader *r, const char *name)
{
    char bias[60];
    bool known = ends_in(name, ".alpha");
    for (int i = 0; i < ENDINGS; i++) {
        snprintf(bias, sizeof bias, "%.*s.bias", (int)(strlen(endings[i].up) - strlen(".weight")), endings[i].up);
        known = known || ends_in(name, endings[i].down);
        known = known || (ends_in(name, endings[i].up) && has_first_factor(r, name, endings[i].up, i));
        known = known || (ends_in(name, bias) && has_first_factor(r, name, bias, i));
    }
    for (const char *const *m = magnitudes; *m; m++)
        known = known || (ends_in(name, *m) && has_first_factor(r, name, *m, -1));
    return known ? DIT_OK
                 : dit_fail(r->error, DIT_UNSUPPORTED, "%s: tensor \"%.200s\" is no part of a LoRA or DoRA adapter",
                            dit_tensor_file_path(r->file), name);
}

static dit_status open_file(struct reader *r, const char *path)
{
    static const char *const names[] = {"pytorch_lora_weights.safetensors", "adapter_model.safetensors"};
    char inside[4096];
    for (int i = 0; i < 2; i++) {
        int n = snprintf(inside, sizeof inside, "%s/%s", path, names[i]);
        if (n > 0 && (size_t)n < sizeof inside && !access(inside, F_OK))
            return dit_tensor_file_open(&r->file, inside, r->error);
    }
    return dit_tensor_file_open(&r->file, path, r->error);
}

dit_status dit_lora_apply(dit_weights *weights, const char *class_name, const dit_lora *lora, int *applied,
                          dit_error *error)
{
    dit_error own = {0}; // reading goes by it
    struct reader r = {.weights = weights, .class_name = class_name, .lora = lora, .error = &own};
    if (!open_file(&r, lora->path) && !dit_lora_settings_read(&r.settings, r.file, lora->part, &own))
        for (size_t i = 0; i < dit_tensor_file_count(r.file) && !own.status; i++) {
            const char *name = dit_tensor_file_at(r.file, i).name;
            check_name(&r, name);
            for (int k = 0; k < ENDINGS && !own.status; k++)
                if (ends_in(name, endings[k].down))
                    apply_adapter(&r, name, k);
        }
    dit_lora_settings_free(&r.settings);
    dit_tensor_file_close(r.file);
    *applied = r.applied;
    return own.status ? dit_fail(error, own.status, "%s", own.message) : DIT_OK;
}
