// cli/convert.c: `dit convert`: the weights of a file, a set of shards or a folder in another element type, as one
// file.
#include "base/cast.h"
#include "base/progress.h"
#include "cli/command.h"
#include "cli/format.h"
#include "io/safetensors.h"
#include <stdlib.h>

enum { DTYPE, OUTPUT };
static const struct option options[] = {
    [DTYPE] = {"dtype", OPTION_TEXT, .value = "TYPE", .choices = "f32|f16|bf16", .required = true,
               .help = "element type of the floating-point tensors"},
    [OUTPUT] = {"output", OPTION_PATH, .letter = 'o', .value = "FILE", .required = true,
                .help = "safetensors file to write"},
    {0},
};

struct conversion {
    dit_safetensors *source;
    const dit_safetensors_item *items; // what is written, in the order of the source
    void *buffer;                      // room for the largest converted tensor
    const dit_watch *watch;
    uint64_t done, total; // bytes read
};

// Gives the writer tensor `index` in its new type.
static dit_status produce(void *context, size_t index, const void **data, dit_error *error)
{
    struct conversion *c = context;
    const dit_safetensors_item *item = &c->items[index];
    dit_array array;
    if (dit_safetensors_array(c->source, index, &array, error))
        return error->status;
    *data = array.data;
    if (array.dtype != item->dtype) {
        if (!dit_cast_floats(item->dtype, c->buffer, array.dtype, array.data, dit_shape_count(&array.shape)))
            return dit_fail(error, DIT_BAD_NUMBER, "%s: tensor \"%.200s\" holds numbers too large for %s; try bf16",
                            dit_safetensors_file_of(c->source, index), item->name, dit_dtype_name(item->dtype));
        *data = c->buffer;
        dit_safetensors_release(c->source, &array);
    }
    c->done += dit_array_bytes(&array);
    dit_progress progress = {.phase = "convert", .unit = "byte", .done = c->done, .total = c->total};
    return dit_report(c->watch, &progress, error);
}

// Describes what is written: every floating-point tensor in `dtype`, the others as they are. Fills `c->total` and gives
// the bytes of the file and of its largest converted tensor.
static dit_status plan(struct conversion *c, dit_dtype dtype, dit_safetensors_item *items, uint64_t *bytes,
                       size_t *largest, dit_error *error)
{
    *bytes = 0;
    *largest = 0;
    for (size_t i = 0; i < dit_safetensors_count(c->source); i++) {
        const dit_safetensors_entry *entry = dit_safetensors_at(c->source, i);
        if (entry->dtype == DIT_DTYPES || entry->rank > DIT_MAX_RANK)
            return dit_fail(error, DIT_UNSUPPORTED,
                            "%s: tensor \"%.200s\" is %s with %d axes, which cannot be converted",
                            dit_safetensors_file_of(c->source, i), entry->name, entry->dtype_name, entry->rank);
        dit_shape shape = {.rank = entry->rank};
        for (int axis = 0; axis < entry->rank; axis++)
            shape.dim[axis] = entry->dim[axis];
        items[i] = (dit_safetensors_item){
            .name = entry->name,
            .dtype = dit_dtype_is_float(entry->dtype) ? dtype : entry->dtype,
            .shape = shape,
        };
        size_t size = (size_t)dit_shape_count(&shape) * dit_dtype_size(items[i].dtype);
        *bytes += size;
        c->total += entry->bytes;
        if (size > *largest)
            *largest = size;
    }
    return DIT_OK;
}

static dit_status run(const struct call *call, dit_error *error)
{
    const char *path = call->option[OUTPUT].text;
    struct conversion c = {.watch = call->watch};
    dit_safetensors_item *items = NULL;
    dit_text_pair *metadata = NULL;
    dit_dtype dtype = DIT_F32;
    uint64_t bytes;
    size_t largest;

    dit_dtype_from_name(call->option[DTYPE].text, &dtype); // one of the choices, all of which it knows
    if (check_output_path(path, "--output", 0, error) || dit_safetensors_open(&c.source, call->operand[0], error))
        goto done;
    size_t count = dit_safetensors_count(c.source), pairs = dit_safetensors_metadata_count(c.source);
    items = calloc(count + 1, sizeof *items);
    metadata = calloc(pairs + 1, sizeof *metadata);
    if (!items || !metadata) {
        dit_fail(error, DIT_NO_MEMORY, "out of memory for %zu tensors", count);
        goto done;
    }
    if (plan(&c, dtype, items, &bytes, &largest, error) || check_output_path(path, "--output", bytes, error))
        goto done;
    c.items = items;
    c.buffer = malloc(largest + 1);
    if (!c.buffer) {
        dit_fail(error, DIT_NO_MEMORY, "out of memory for a tensor of %zu bytes", largest);
        goto done;
    }
    dit_progress start = {.phase = "convert", .unit = "byte", .total = c.total};
    if (dit_report(c.watch, &start, error))
        goto done;
    for (size_t i = 0; i < pairs; i++)
        metadata[i] = dit_safetensors_metadata_at(c.source, i);
    if (dit_safetensors_write(path, items, count, metadata, pairs, produce, &c, error))
        goto done;
    say(call, "%s: %zu tensors, %s", path, count, format_bytes((char[FORMAT_SIZE]){0}, (double)bytes));

done:
    free(c.buffer);
    free(metadata);
    free(items);
    dit_safetensors_close(c.source);
    return error->status;
}

static const char *const examples[] = {
    "dit convert transformer/ --dtype bf16 -o transformer-bf16.safetensors",
    "a folder's weights, half as large",
    "dit convert model.safetensors.index.json --dtype f32 -o model.safetensors",
    "a set of shards as one file of single precision",
    NULL,
};

const struct command command_convert = {
    .name = "convert",
    .summary = "write weights in another element type",
    .operands = "FILE|DIR",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .details =
        "Reads a safetensors file, a set of shards (NAME.safetensors.index.json) or a folder that holds either,\n"
        "and writes one safetensors file. Floating-point tensors are rounded to the nearest value of the new\n"
        "type, ties to even; other tensors and the metadata stay as they are. A finite number that would\n"
        "become infinite is an error.",
    .examples = examples,
    .run = run,
};
