// cli/convert.c: `dit convert`: weights of any kind of file as one safetensors or GGUF file, in another element type,
// and under their published names.
#include "base/cast.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/format.h"
#include "cli/model.h"
#include "io/atomic_file.h"
#include "io/gguf.h"
#include "models/original.h"
#include "models/scaled_weights.h"
#include "pipelines/save.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DTYPE, PUBLISHED, OUTPUT, BASE, PART, PIPELINE, VARIANT };
static const struct option options[] = {
    [DTYPE] = {"dtype", OPTION_TEXT, .value = "TYPE",
               .choices = "f32|f16|bf16|f8_e4m3|f8_e5m2|q8_0|q4_0|q4_1|q5_0|q5_1|q2_k|q3_k|q4_k|q5_k|q6_k",
               .help = "element type of the floating-point tensors; as stored when it is not given"},
    [PUBLISHED] = {"published", OPTION_FLAG,
                   .help =
                       "names of an original single file become those that diffusers publishes; with a config.json"},
    [OUTPUT] = {"output", OPTION_PATH, .letter = 'o', .value = "FILE|DIR/", .required = true,
                .help =
                    "file to write: GGUF when its name ends in .gguf, otherwise safetensors; or, with a / at its end, "
                    "a folder for a whole model"},
    [BASE] = {"base", OPTION_PATH, .value = "DIR", .help = "for a whole model, as in `dit generate`"},
    [PART] = {"part", OPTION_TEXTS, .value = "NAME=PATH", .help = "the same"},
    [PIPELINE] = {"pipeline", OPTION_TEXT, .value = "CLASS", .help = "the same"},
    [VARIANT] = {"variant", OPTION_TEXT, .value = "NAME", .help = "the same"},
    {0},
};

struct conversion {
    dit_tensor_file *source;
    dit_original *original; // with --published
    dit_weights *weights;   // what is converted, in the order of writing
    dit_safetensors_item *items;
    void *buffer;  // room for the largest converted tensor
    float *scaled; // room for the largest tensor that has a scale
    const dit_watch *watch;
    uint64_t done, total; // bytes read
    bool gguf, cast;
};

// Gives the writer tensor `index` in its new type.
static dit_status produce(void *context, size_t index, const void **data, dit_error *error)
{
    struct conversion *c = context;
    const dit_safetensors_item *item = &c->items[index];
    const dit_weight *w = dit_weights_at(c->weights, (int)index);
    dit_array from = w->array;
    int64_t count = dit_shape_count(&from.shape);
    *data = from.data;
    if (w->scale != 1) {
        for (int64_t i = 0; i < count; i++)
            c->scaled[i] = (float)dit_element_get(from.dtype, from.data, i) * w->scale;
        from = (dit_array){DIT_F32, from.shape, c->scaled};
        *data = c->scaled;
    }
    if (from.dtype != item->dtype) {
        if (!dit_cast_floats(item->dtype, c->buffer, from.dtype, from.data, count))
            return dit_fail(error, DIT_BAD_NUMBER, "%s: tensor \"%.200s\" holds numbers too large for %s; try bf16",
                            dit_tensor_file_path(c->source), item->name, dit_dtype_name(item->dtype));
        *data = c->buffer;
        dit_tensor_file_release(c->source, &w->array);
    }
    c->done += dit_array_bytes(&w->array);
    dit_progress progress = {.phase = "convert", .unit = "byte", .done = c->done, .total = c->total};
    return dit_report(c->watch, &progress, error);
}

// The type in which a tensor is written. Block formats take matrices whose rows are whole blocks: in other tensors
// there is little to save and much to lose, so they stay as they are (f64 and f8 as f32).
static dit_dtype written_type(const dit_weight *w, bool cast, dit_dtype dtype)
{
    dit_dtype from = w->array.dtype;
    const dit_shape *shape = &w->array.shape;
    bool real = dit_dtype_is_float(from) || dit_dtype_is_quantized(from);
    if (!real || !cast)
        return from;
    bool fits = shape->rank >= 2 && shape->dim[shape->rank - 1] % dit_dtype_block(dtype) == 0;
    if (!dit_dtype_is_quantized(dtype) || fits)
        return dtype;
    return from == DIT_F64 || dit_dtype_is_quantized(from) ? DIT_F32 : from;
}

// Adds the source's tensors to c->weights: under published names, or their own.
static dit_status gather(struct conversion *c, bool cast, bool published, dit_error *error)
{
    if (!(c->weights = dit_weights_new()))
        return dit_fail(error, DIT_NO_MEMORY, "out of memory");
    if (published) {
        if (dit_original_find(&c->original, c->source, NULL, error))
            return error->status;
        if (!c->original)
            return dit_fail(error, DIT_UNSUPPORTED,
                            "--published: the tensors of %.300s are of no original file that is known",
                            dit_tensor_file_path(c->source));
        return dit_original_weights(c->original, c->weights, error);
    }
    for (size_t i = 0; i < dit_tensor_file_count(c->source) && !error->status; i++) {
        dit_tensor_entry e = dit_tensor_file_at(c->source, i);
        dit_array array;
        if (cast && dit_is_scale_name(e.name))
            continue; // applied to its weight
        if (e.dtype == DIT_DTYPES || e.rank > DIT_MAX_RANK)
            return dit_fail(error, DIT_UNSUPPORTED,
                            "%s: tensor \"%.200s\" is %s with %d axes, which cannot be converted",
                            dit_tensor_file_of(c->source, i), e.name, e.dtype_name, e.rank);
        if (!dit_tensor_file_array(c->source, i, &array, error) &&
            !dit_weights_add(c->weights, e.name, array, false, error) && cast)
            dit_scale_weight(c->source, e.name, dit_weights_find(c->weights, e.name), error);
    }
    return error->status;
}

// Describes what is written, and makes room for it; *bytes: of all of it.
static dit_status plan(struct conversion *c, bool cast, dit_dtype dtype, uint64_t *bytes, dit_error *error)
{
    size_t count = (size_t)dit_weights_count(c->weights), largest = 0, largest_scaled = 0;
    *bytes = 0;
    c->items = calloc(count + 1, sizeof *c->items);
    for (size_t i = 0; c->items && i < count; i++) {
        const dit_weight *w = dit_weights_at(c->weights, (int)i);
        dit_array to = {written_type(w, cast || w->scale != 1, cast ? dtype : DIT_F32), w->array.shape, NULL};
        size_t size = dit_array_bytes(&to), scaled = w->scale != 1 ? (size_t)dit_shape_count(&to.shape) : 0;
        c->items[i] = (dit_safetensors_item){.name = w->name, .dtype = to.dtype, .shape = to.shape};
        c->total += dit_array_bytes(&w->array);
        *bytes += size;
        largest = size > largest ? size : largest;
        largest_scaled = scaled > largest_scaled ? scaled : largest_scaled;
    }
    c->buffer = malloc(largest + 1);
    c->scaled = malloc((largest_scaled + 1) * sizeof *c->scaled);
    if (!c->items || !c->buffer || !c->scaled)
        return dit_fail(error, DIT_NO_MEMORY, "out of memory for tensors of %zu bytes", largest);
    return DIT_OK;
}

static dit_status write_safetensors(struct conversion *c, const char *path, dit_error *error)
{
    size_t pairs =
        dit_tensor_file_kind(c->source) == DIT_FILE_SAFETENSORS ? dit_tensor_file_metadata_count(c->source) : 0;
    dit_text_pair *metadata = calloc(pairs + 1, sizeof *metadata);
    if (!metadata)
        return dit_fail(error, DIT_NO_MEMORY, "out of memory");
    size_t kept = 0;
    for (size_t i = 0; i < pairs; i++) {
        metadata[kept] = dit_tensor_file_metadata_at(c->source, i);
        kept += !c->cast || strcmp(metadata[kept].key, "_quantization_metadata"); // of f8 weights that no longer are
    }
    dit_safetensors_write(path, c->items, (size_t)dit_weights_count(c->weights), metadata, kept, produce, c, error);
    free(metadata);
    return error->status;
}

// A family as ComfyUI's reader of GGUF files has it, which refuses other names.
static const char *architecture_of(const char *family)
{
    static const char *const names[][2] = {{"aura_flow", "aura"}, {"z_image", "lumina2"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(family, names[i][0]))
            return names[i][1];
    return family;
}

// Whether a value of a GGUF file holds for what is made of it, whatever the new types: what says how the file itself is
// laid out does not.
static bool holds_for_copy(const char *key, bool cast)
{
    static const char *const layout[] = {"general.architecture", "general.quantization_version", "general.alignment",
                                         "comfy.gguf.orig_shape.", "split."};
    for (size_t i = 0; i < sizeof layout / sizeof *layout; i++)
        if (!strncmp(key, layout[i], strlen(layout[i])))
            return false;
    return !cast || strcmp(key, "general.file_type");
}

// The architecture as other programs name it, where the names in the file are an original's, and the values of a GGUF
// file: text encoders have their configuration and tokenizer there.
static dit_status write_gguf(struct conversion *c, const char *path, dit_error *error)
{
    const char *known = dit_tensor_file_metadata(c->source, "general.architecture");
    dit_original *original = NULL;
    dit_error ignored = {0};
    bool from_gguf = dit_tensor_file_kind(c->source) == DIT_FILE_GGUF;
    size_t values = from_gguf ? dit_tensor_file_metadata_count(c->source) : 0, count = 2;
    dit_gguf_field *fields = calloc(values + count, sizeof *fields);
    if (!fields)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its metadata", path);
    if (!known && !c->original && !dit_original_find(&original, c->source, NULL, &ignored) && original)
        known = architecture_of(dit_original_family(original));
    fields[0] = (dit_gguf_field){.key = "general.architecture", .text = known ? known : "dit"};
    fields[1] = (dit_gguf_field){.key = "general.quantization_version", .integer = 2};
    for (size_t i = 0; i < values; i++) {
        const dit_gguf_value *v = dit_tensor_file_value_at(c->source, i);
        if (holds_for_copy(v->key, c->cast))
            fields[count++] = (dit_gguf_field){.key = v->key, .copied = v};
    }
    dit_gguf_write(path, c->items, (size_t)dit_weights_count(c->weights), fields, count, produce, c, error);
    dit_original_free(original);
    free(fields);
    return error->status;
}

// The configuration of an original file goes beside the result, unless one is there.
static dit_status write_config(const struct call *call, const struct conversion *c, const char *path, dit_error *error)
{
    const char *slash = strrchr(path, '/'), *text = dit_original_config(c->original);
    char config[4096];
    int n = snprintf(config, sizeof config, "%.*sconfig.json", slash ? (int)(slash - path) + 1 : 0, path);
    if (n < 0 || (size_t)n >= sizeof config)
        return dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", path);
    if (!access(config, F_OK)) {
        say(call, "%s is there already and stays", config);
        return DIT_OK;
    }
    return dit_atomic_file_save(config, text, strlen(text), error);
}

static bool ends_in(const char *text, const char *ending)
{
    size_t n = strlen(text), m = strlen(ending);
    return n >= m && !strcmp(text + n - m, ending);
}

static dit_status check_options(const struct option_value *o, dit_dtype dtype, bool gguf, dit_error *error)
{
    if (dit_dtype_is_block(dtype) && !gguf)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--dtype %s needs an --output that ends in .gguf", o[DTYPE].text);
    if ((dtype == DIT_F8_E4M3 || dtype == DIT_F8_E5M2) && gguf)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--dtype %s cannot be stored in a GGUF file", o[DTYPE].text);
    return check_output_path(o[OUTPUT].text, "--output", 0, error);
}

// A whole model as a folder.
static dit_status run_model(const struct call *call, dit_error *error)
{
    const struct option_value *o = call->option, from = {.given = true, .text = call->operand[0]};
    const char *path = o[OUTPUT].text;
    dit_model *model = NULL;
    if (o[DTYPE].given || o[PUBLISHED].given)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--%s: a whole model is written as it is, under published names",
                        options[o[DTYPE].given ? DTYPE : PUBLISHED].name);
    if (!check_output_folder(path, "--output", error) &&
        !model_open(&from, &o[BASE], &o[PART], &o[PIPELINE], &o[VARIANT], NULL, &model, error) &&
        !dit_model_save(model, path, call->watch, error))
        say(call, "%s", path);
    dit_model_close(model);
    return error->status;
}

static dit_status run(const struct call *call, dit_error *error)
{
    if (ends_in(call->option[OUTPUT].text, "/"))
        return run_model(call, error);
    static const int of_models[] = {BASE, PART, PIPELINE, VARIANT};
    for (size_t i = 0; i < sizeof of_models / sizeof *of_models; i++)
        if (call->option[of_models[i]].given)
            return dit_fail(error, DIT_BAD_ARGUMENT, "--%s is of use with an --output that ends in / only",
                            options[of_models[i]].name);

    const struct option_value *o = call->option;
    const char *path = o[OUTPUT].text;
    struct conversion c = {.watch = call->watch, .gguf = ends_in(path, ".gguf"), .cast = o[DTYPE].given};
    dit_dtype dtype = DIT_F32;
    uint64_t bytes;

    if (c.cast)
        dit_dtype_from_name(o[DTYPE].text, &dtype); // one of the choices, all of which it knows
    dit_progress start = {.phase = "convert", .unit = "byte"};
    if (check_options(o, dtype, c.gguf, error) || dit_tensor_file_open(&c.source, call->operand[0], error) ||
        gather(&c, c.cast, o[PUBLISHED].given, error) || plan(&c, c.cast, dtype, &bytes, error) ||
        check_output_path(path, "--output", bytes, error))
        goto done;
    start.total = c.total;
    if (dit_report(c.watch, &start, error) ||
        (c.gguf ? write_gguf(&c, path, error) : write_safetensors(&c, path, error)) ||
        (c.original && write_config(call, &c, path, error)))
        goto done;
    say(call, "%s: %d tensors, %s", path, dit_weights_count(c.weights),
        format_bytes((char[FORMAT_SIZE]){0}, (double)bytes));

done:
    free(c.scaled);
    free(c.buffer);
    free(c.items);
    dit_weights_free(c.weights);
    dit_original_free(c.original);
    dit_tensor_file_close(c.source);
    return error->status;
}

static const char *const examples[] = {
    "dit convert transformer/ --dtype bf16 -o transformer-bf16.safetensors",
    "a folder's weights, half as large",
    "dit convert flux1-dev.safetensors --dtype q8_0 -o flux1-dev-q8_0.gguf",
    "matrices in blocks of eight bits a number",
    "dit convert DiT-XL-2-256x256.pt --published -o DiT-XL-2-256/transformer/diffusion_pytorch_model.safetensors",
    "an original file as diffusers reads it, with its config.json",
    "dit convert sd3_medium_incl_clips.safetensors --base stable-diffusion-3-medium/ -o sd3/",
    "a whole model, its parts out of one file, as a folder",
    NULL,
};

const struct command command_convert = {
    .name = "convert",
    .summary = "write weights in another element type, kind of file or naming",
    .operands = "FILE|DIR",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .details =
        "Reads safetensors (a file, the index of a set of shards, a folder), GGUF, or a file by torch.save (.pt,\n"
        ".bin, .ckpt), of which tensors are read and nothing is executed, and writes one file. Floating-point\n"
        "tensors are rounded to the nearest value of the new type, ties to even, or quantised as ggml's reference\n"
        "does; other tensors stay as they are, and so do vectors when the type is a block format. f8 weights with\n"
        "a scale are multiplied by it. A finite number that would become infinite is an error.\n"
        "With an --output that ends in / FILE is a model as `dit generate` takes it, which is written whole: its\n"
        "networks as they are stored, under published names, tokenizers, scheduler and model_index.json.",
    .examples = examples,
    .run = run,
};
