// io/safetensors_write.c: writing safetensors files.
#include "io/atomic_file.h"
#include "io/safetensors_private.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct placed {
    const dit_safetensors_item *item;
    size_t index;
    const char *dtype;
    int order; // of the dtype
};

// The reference library's order: by dtype, widest last in its enumeration first, then by name. Offsets then stay
// aligned to the element size.
static int compare_placed(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    return x->order != y->order ? y->order - x->order : strcmp(x->item->name, y->item->name);
}

static dit_status check_item(const char *path, const dit_safetensors_item *item, bool produced, dit_error *error)
{
    if (!*item->name || !strcmp(item->name, "__metadata__"))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: \"%s\" cannot be a tensor's name", path, item->name);
    if (!item->data && !produced)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: tensor \"%.80s\" has no data", path, item->name);
    int order;
    if (item->dtype < DIT_DTYPES && !dit_safetensors_dtype_name(item->dtype, &order))
        return dit_fail(error, DIT_UNSUPPORTED,
                        "%s: tensor \"%.80s\" is %s, which safetensors cannot hold; GGUF can, or another --dtype", path,
                        item->name, dit_dtype_name(item->dtype));
    return dit_shape_check(&item->shape, item->dtype, error);
}

// {"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}; NULL when memory is out.
static json_t *describe(const struct placed *p, uint64_t from, uint64_t to)
{
    json_t *entry = json_object(), *shape = json_array(), *offsets = json_array();
    int bad = json_object_set_new(entry, "dtype", json_string(p->dtype));
    bad |= json_object_set_new(entry, "shape", shape);
    bad |= json_object_set_new(entry, "data_offsets", offsets);
    for (int i = 0; i < p->item->shape.rank; i++)
        bad |= json_array_append_new(shape, json_integer(p->item->shape.dim[i]));
    bad |= json_array_append_new(offsets, json_integer((json_int_t)from));
    bad |= json_array_append_new(offsets, json_integer((json_int_t)to));
    if (!bad)
        return entry;
    json_decref(entry);
    return NULL;
}

// Sets a key that is not there yet. The only other reason for failing is a text that is not UTF-8.
static dit_status add_member(const char *path, json_t *object, const char *key, json_t *value, dit_error *error)
{
    if (!value)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: the text of \"%.80s\" is not UTF-8, or memory is out", path, key);
    if (json_object_get(object, key)) {
        json_decref(value);
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: \"%.80s\" is to be written twice", path, key);
    }
    if (json_object_set_new(object, key, value))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: the name \"%.80s\" is not UTF-8, or memory is out", path, key);
    return DIT_OK;
}

static dit_status build_header(const char *path, const struct placed *placed, size_t count,
                               const dit_text_pair *metadata, size_t metadata_count, json_t *header, dit_error *error)
{
    dit_status status = DIT_OK;
    if (metadata_count > 0) {
        json_t *map = json_object();
        for (size_t i = 0; i < metadata_count && !status; i++)
            status = add_member(path, map, metadata[i].key, json_string(metadata[i].value), error);
        if (status) {
            json_decref(map);
            return status;
        }
        status = add_member(path, header, "__metadata__", map, error);
    }
    uint64_t at = 0;
    for (size_t i = 0; i < count && !status; i++) {
        dit_array array = {placed[i].item->dtype, placed[i].item->shape, NULL};
        uint64_t end;
        if (__builtin_add_overflow(at, (uint64_t)dit_array_bytes(&array), &end) || end >> 62)
            return dit_fail(error, DIT_NO_MEMORY, "%s: its tensors are larger than any disk", path);
        status = add_member(path, header, placed[i].item->name, describe(&placed[i], at, end), error);
        at = end;
    }
    return status;
}

// The length, the header, and spaces that bring the data to a multiple of eight.
static dit_status write_header(dit_atomic_file *file, const char *path, const json_t *header, dit_error *error)
{
    char *text = json_dumps(header, JSON_COMPACT);
    if (!text)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its header", path);
    size_t length = strlen(text), padding = (8 - length % 8) % 8;
    unsigned char start[8];
    for (int i = 0; i < 8; i++)
        start[i] = (unsigned char)((uint64_t)(length + padding) >> (8 * i));
    dit_status status = dit_atomic_file_write(file, start, sizeof start, error);
    if (!status)
        status = dit_atomic_file_write(file, text, length, error);
    if (!status)
        status = dit_atomic_file_write(file, "       ", padding, error);
    free(text);
    return status;
}

static dit_status write_data(dit_atomic_file *file, const struct placed *placed, size_t count,
                             dit_safetensors_produce produce, void *context, dit_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const dit_safetensors_item *item = placed[i].item;
        dit_array array = {item->dtype, item->shape, NULL};
        const void *data = item->data;
        dit_status status = data ? DIT_OK : produce(context, placed[i].index, &data, error);
        if (!status)
            status = dit_atomic_file_write(file, data, dit_array_bytes(&array), error);
        if (status)
            return status;
    }
    return DIT_OK;
}

dit_status dit_safetensors_write(const char *path, const dit_safetensors_item *items, size_t count,
                                 const dit_text_pair *metadata, size_t metadata_count, dit_safetensors_produce produce,
                                 void *context, dit_error *error)
{
    struct placed *placed = malloc((count + 1) * sizeof *placed);
    json_t *header = json_object();
    dit_atomic_file *file = NULL;
    dit_status status = DIT_OK;
    if (!placed || !header)
        status = dit_fail(error, DIT_NO_MEMORY, "%s: no memory to write it", path);
    for (size_t i = 0; i < count && !status; i++) {
        placed[i] = (struct placed){.item = &items[i], .index = i};
        placed[i].dtype = dit_safetensors_dtype_name(items[i].dtype, &placed[i].order);
        status = check_item(path, &items[i], produce != NULL, error);
    }
    if (!status) {
        qsort(placed, count, sizeof *placed, compare_placed);
        status = build_header(path, placed, count, metadata, metadata_count, header, error);
    }
    if (!status)
        status = dit_atomic_file_open(&file, path, error);
    if (!status)
        status = write_header(file, path, header, error);
    if (!status)
        status = write_data(file, placed, count, produce, context, error);
    if (status)
        dit_atomic_file_abort(file);
    else
        status = dit_atomic_file_commit(file, error);
    json_decref(header);
    free(placed);
    return status;
}
