// io/gguf_write.c: writing GGUF files (version 3, little-endian).
#include "base/name_map.h"
#include "io/atomic_file.h"
#include "io/gguf_private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The header being made. Once memory is out, what follows does nothing.
struct header {
    unsigned char *bytes;
    size_t size, capacity;
    bool full;
};

static void put(struct header *h, const void *bytes, size_t size)
{
    if (h->size + size > h->capacity) {
        size_t capacity = 2 * h->capacity + size + 256;
        unsigned char *more = realloc(h->bytes, capacity);
        h->full = h->full || !more;
        if (h->full)
            return;
        h->bytes = more;
        h->capacity = capacity;
    }
    memcpy(h->bytes + h->size, bytes, size);
    h->size += size;
}

static void put_integer(struct header *h, uint64_t value, int bytes)
{
    unsigned char b[8];
    for (int i = 0; i < bytes; i++)
        b[i] = (unsigned char)(value >> 8 * i);
    put(h, b, (size_t)bytes);
}

static void put_text(struct header *h, const char *text)
{
    put_integer(h, strlen(text), 8);
    put(h, text, strlen(text));
}

static void put_list(struct header *h, const char *key, const int32_t *list, size_t count)
{
    put_text(h, key);
    put_integer(h, DIT_GGUF_LIST, 4);
    put_integer(h, DIT_GGUF_I32, 4);
    put_integer(h, count, 8);
    for (size_t i = 0; i < count; i++)
        put_integer(h, (uint32_t)list[i], 4);
}

static void put_copy(struct header *h, const char *key, const dit_gguf_value *v)
{
    put_text(h, key);
    if (v->list)
        put_integer(h, DIT_GGUF_LIST, 4);
    put_integer(h, v->type, 4);
    if (v->list)
        put_integer(h, v->count, 8);
    put(h, v->data, (size_t)v->bytes);
}

static void put_field(struct header *h, const dit_gguf_field *f)
{
    if (f->copied) {
        put_copy(h, f->key, f->copied);
        return;
    }
    if (f->list && !f->text) {
        put_list(h, f->key, f->list, f->count);
        return;
    }
    put_text(h, f->key);
    put_integer(h, f->text ? DIT_GGUF_TEXT : DIT_GGUF_U32, 4);
    if (f->text)
        put_text(h, f->text);
    else
        put_integer(h, f->integer, 4);
}

static bool is_folded(const dit_safetensors_item *item)
{
    return item->shape.rank > DIT_GGUF_RANK;
}

// `comfy.gguf.orig_shape.NAME`: the shape of a tensor that is stored with fewer axes.
static dit_status put_shape_field(struct header *h, const char *path, const dit_safetensors_item *item,
                                  dit_error *error)
{
    char key[1200];
    int32_t extents[DIT_MAX_RANK];
    if ((size_t)snprintf(key, sizeof key, "comfy.gguf.orig_shape.%s", item->name) >= sizeof key)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: the name \"%.80s...\" is too long", path, item->name);
    for (int i = 0; i < item->shape.rank; i++) {
        if (item->shape.dim[i] > INT32_MAX)
            return dit_fail(error, DIT_UNSUPPORTED, "%s: tensor \"%.80s\" is too large an array for GGUF", path,
                            item->name);
        extents[i] = (int32_t)item->shape.dim[i];
    }
    put_list(h, key, extents, (size_t)item->shape.rank);
    return DIT_OK;
}

static uint64_t aligned(uint64_t offset)
{
    return (offset + DIT_GGUF_ALIGNMENT - 1) & ~(uint64_t)(DIT_GGUF_ALIGNMENT - 1);
}

static uint64_t bytes_of(const dit_safetensors_item *item)
{
    dit_array array = {item->dtype, item->shape, NULL};
    return dit_array_bytes(&array);
}

static void put_entry(struct header *h, const dit_safetensors_item *item, uint64_t offset)
{
    int rank = item->shape.rank, kept = is_folded(item) ? DIT_GGUF_RANK : rank;
    put_text(h, item->name);
    put_integer(h, (uint64_t)kept, 4);
    uint64_t first = 1; // the axes that are merged into one
    for (int i = 0; i <= rank - kept; i++)
        first *= rank ? (uint64_t)item->shape.dim[i] : 1;
    for (int i = rank - 1; i > rank - kept; i--)
        put_integer(h, (uint64_t)item->shape.dim[i], 8);
    if (kept)
        put_integer(h, first, 8);
    put_integer(h, (uint64_t)dit_gguf_format_of(item->dtype)->number, 4);
    put_integer(h, offset, 8);
}

static dit_status check_items(const char *path, const dit_safetensors_item *items, size_t count, bool produced,
                              dit_error *error)
{
    dit_name_map names = {0};
    for (size_t i = 0; i < count && !error->status; i++) {
        const dit_safetensors_item *item = &items[i];
        if (!dit_gguf_type_name(item->dtype))
            dit_fail(error, DIT_UNSUPPORTED, "%s: tensor \"%.80s\" is %s, which GGUF has no type for", path, item->name,
                     dit_dtype_name(item->dtype));
        else if (!*item->name || dit_name_map_find(&names, item->name) >= 0)
            dit_fail(error, DIT_BAD_ARGUMENT, "%s: the name \"%.80s\" is %s", path, item->name,
                     *item->name ? "to be written twice" : "empty");
        else if (!item->data && !produced)
            dit_fail(error, DIT_BAD_ARGUMENT, "%s: tensor \"%.80s\" has no data", path, item->name);
        else if (!dit_shape_check(&item->shape, item->dtype, error) && !dit_name_map_add(&names, item->name, 0))
            dit_fail(error, DIT_NO_MEMORY, "%s: no memory to write it", path);
    }
    dit_name_map_free(&names);
    return error->status;
}

static dit_status build_header(struct header *h, const char *path, const dit_safetensors_item *items, size_t count,
                               const dit_gguf_field *metadata, size_t metadata_count, dit_error *error)
{
    uint64_t folded = 0, offset = 0;
    for (size_t i = 0; i < count; i++)
        folded += is_folded(&items[i]);
    put(h, "GGUF", 4);
    put_integer(h, 3, 4);
    put_integer(h, count, 8);
    put_integer(h, metadata_count + folded, 8);
    for (size_t i = 0; i < metadata_count; i++)
        put_field(h, &metadata[i]);
    for (size_t i = 0; i < count && !error->status; i++)
        if (is_folded(&items[i]))
            put_shape_field(h, path, &items[i], error);
    for (size_t i = 0; i < count && !error->status; i++) {
        put_entry(h, &items[i], offset);
        if (__builtin_add_overflow(offset, bytes_of(&items[i]), &offset) || offset >> 62)
            return dit_fail(error, DIT_NO_MEMORY, "%s: its tensors are larger than any disk", path);
        offset = aligned(offset);
    }
    static const char zeros[DIT_GGUF_ALIGNMENT];
    put(h, zeros, (size_t)(aligned(h->size) - h->size));
    return h->full ? dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its header", path) : error->status;
}

static dit_status write_data(dit_atomic_file *file, const dit_safetensors_item *items, size_t count,
                             dit_safetensors_produce produce, void *context, dit_error *error)
{
    static const char zeros[DIT_GGUF_ALIGNMENT];
    for (size_t i = 0; i < count; i++) {
        const void *data = items[i].data;
        uint64_t bytes = bytes_of(&items[i]);
        if ((!data && produce(context, i, &data, error)) || dit_atomic_file_write(file, data, (size_t)bytes, error) ||
            dit_atomic_file_write(file, zeros, (size_t)(aligned(bytes) - bytes), error))
            return error->status;
    }
    return DIT_OK;
}

dit_status dit_gguf_write(const char *path, const dit_safetensors_item *items, size_t count,
                          const dit_gguf_field *metadata, size_t metadata_count, dit_safetensors_produce produce,
                          void *context, dit_error *error)
{
    dit_error own = {0};
    struct header h = {0};
    dit_atomic_file *file = NULL;
    if (!check_items(path, items, count, produce, &own) &&
        !build_header(&h, path, items, count, metadata, metadata_count, &own) &&
        !dit_atomic_file_open(&file, path, &own) && !dit_atomic_file_write(file, h.bytes, h.size, &own))
        write_data(file, items, count, produce, context, &own);
    if (own.status)
        dit_atomic_file_abort(file);
    else
        dit_atomic_file_commit(file, &own);
    free(h.bytes);
    return own.status ? dit_fail(error, own.status, "%s", own.message) : DIT_OK;
}
