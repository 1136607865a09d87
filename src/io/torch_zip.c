// io/torch_zip.c: opening a file by torch.save, and handing out its tensors.
#include "io/torch_zip.h"
#include "io/mapped_file.h"
#include "io/torch_zip_private.h"
#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    DEEPEST = 16, // containers within each other
    LONGEST_NAME = 1000,
    LARGEST_PICKLE = 16 << 20, // 80,000 tensors
    LARGEST_REPEAT = 16 << 20, // bytes of a tensor whose strides repeat elements of its storage
};

struct dit_torch_zip {
    dit_arena *arena; // names, values
    const char *path;
    dit_mapped_file bytes;
    dit_zip zip;
    const char *folder; // of its records: "archive/"
    dit_torch_entry *entries;
    size_t count, capacity, visits, most_visits;
    dit_name_map names;
    void **copies; // [count] dense copies made so far
    pthread_mutex_t lock;
};

static dit_status no_memory(const dit_torch_zip *f, dit_error *error)
{
    return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", f->path);
}

// The record of a storage: "archive/data/0".
static const dit_zip_record *storage_record(dit_torch_zip *f, const char *key)
{
    char *name = dit_arena_printf(f->arena, "%sdata/%s", f->folder, key);
    return name ? dit_zip_find(&f->zip, name) : NULL;
}

// The farthest element that strides reach, plus one, in elements of the storage; -1 beyond 62 bits. 0 when empty.
static int64_t reach(const dit_pickle_value *t)
{
    int64_t last = t->integer;
    for (int i = 0; i < t->layout->shape.rank; i++) {
        int64_t step;
        if (t->layout->shape.dim[i] == 0)
            return 0;
        if (__builtin_mul_overflow(t->layout->shape.dim[i] - 1, t->layout->stride[i], &step) ||
            __builtin_add_overflow(last, step, &last) || last >> 62)
            return -1;
    }
    return last + 1;
}

// Fills an entry from what the pickle says, against the bytes that are there.
static dit_status place(dit_torch_zip *f, const dit_pickle_value *t, const char *name, dit_torch_entry *e,
                        dit_error *error)
{
    const dit_zip_record *record = storage_record(f, t->storage->text);
    dit_dtype checked = t->dtype->dtype == DIT_DTYPES ? DIT_F64 : t->dtype->dtype;
    if (!record)
        return dit_fail(error, DIT_BAD_FILE, "%s: tensor \"%.80s\": its storage \"%.40s\" is not in the archive",
                        f->path, name, t->storage->text);
    if (dit_shape_check(&t->layout->shape, checked, error))
        return dit_error_locate(error, name), dit_error_locate(error, f->path), error->status;
    int64_t available = (int64_t)(record->size / (uint64_t)t->dtype->bytes), needed = reach(t);
    int64_t count = dit_shape_count(&t->layout->shape);
    if (needed < 0 || needed > available)
        return dit_fail(error, DIT_BAD_FILE, "%s: tensor \"%.80s\" reaches beyond the %llu bytes of its storage",
                        f->path, name, (unsigned long long)record->size);
    if (count > available && count > LARGEST_REPEAT / t->dtype->bytes)
        return dit_fail(error, DIT_UNSUPPORTED, "%s: tensor \"%.80s\" repeats its elements; save a contiguous copy",
                        f->path, name);
    *e = (dit_torch_entry){.name = name,
                           .dtype_name = t->dtype->name,
                           .dtype = t->dtype->dtype,
                           .shape = t->layout->shape,
                           .bytes = (uint64_t)count * (uint64_t)t->dtype->bytes,
                           .data = record->data};
    if (count)
        e->data += t->integer * t->dtype->bytes;
    memcpy(e->stride, t->layout->stride, sizeof e->stride);
    dit_view view = {.dtype = DIT_U8, .shape = t->layout->shape};
    memcpy(view.stride, t->layout->stride, sizeof view.stride);
    e->contiguous = count <= 1 || dit_view_is_contiguous(&view);
    return DIT_OK;
}

static dit_status add_tensor(dit_torch_zip *f, const dit_pickle_value *t, const char *name, dit_error *error)
{
    char *kept = dit_arena_copy_text(f->arena, *name ? name : "tensor");
    if (!kept || f->count == INT_MAX || !dit_grow(&f->entries, &f->capacity, f->count + 1, sizeof *f->entries))
        return no_memory(f, error);
    json_t *text = json_string(kept);
    json_decref(text);
    if (!text)
        return dit_fail(error, DIT_BAD_FILE, "%s: the name of tensor \"%.80s\" is not UTF-8", f->path, kept);
    if (place(f, t, kept, &f->entries[f->count], error))
        return error->status;
    if (dit_name_map_find(&f->names, kept) >= 0)
        return dit_fail(error, DIT_BAD_FILE, "%s: tensor \"%.80s\" is there twice", f->path, kept);
    if (!dit_name_map_add(&f->names, kept, (int)f->count))
        return no_memory(f, error);
    f->count++;
    return DIT_OK;
}

// Lists the tensors in `value`, whose name is the first `length` bytes of `name`, of LONGEST_NAME.
static dit_status walk(dit_torch_zip *f, dit_pickle_value *value, char *name, size_t length, int depth,
                       dit_error *error)
{
    bool dict = value->kind == DIT_PICKLE_DICT;
    // Containers may share their items, but a value and its key take more than a byte each time they stand somewhere.
    if (++f->visits > f->most_visits)
        return dit_fail(error, DIT_BAD_FILE, "%s: its pickle holds containers within each other without end", f->path);
    if (value->kind == DIT_PICKLE_TENSOR)
        return add_tensor(f, value, name, error);
    if (!dict && value->kind != DIT_PICKLE_LIST && value->kind != DIT_PICKLE_TUPLE)
        return DIT_OK;
    if (value->visited || depth == DEEPEST)
        return dit_fail(error, DIT_BAD_FILE, "%s: its pickle holds a container within itself or %d within each other",
                        f->path, DEEPEST);
    value->visited = true;
    for (size_t i = 0; i < value->count && !error->status; i += 1 + dict) {
        const dit_pickle_value *key = value->items[i];
        size_t room = LONGEST_NAME - length;
        const char *dot = length ? "." : "";
        int n = !dict                          ? snprintf(name + length, room, "%s%zu", dot, i)
                : key->kind == DIT_PICKLE_TEXT ? snprintf(name + length, room, "%s%s", dot, key->text)
                : key->kind == DIT_PICKLE_INTEGER
                    ? snprintf(name + length, room, "%s%lld", dot, (long long)key->integer)
                    : -1;
        if (n < 0 || (size_t)n >= room)
            dit_fail(error, DIT_BAD_FILE, "%s: a key of its dicts is neither a text nor an integer, or is too long",
                     f->path);
        else
            walk(f, value->items[i + dict], name, length + (size_t)n, depth + 1, error);
    }
    value->visited = false;
    return error->status;
}

// The record "FOLDER/data.pkl" says what the others are.
static const dit_zip_record *find_pickle(dit_torch_zip *f)
{
    static const char ending[] = "/data.pkl";
    for (size_t i = 0; i < f->zip.count; i++) {
        const char *name = f->zip.records[i].name;
        size_t length = strlen(name), rest = sizeof ending - 1;
        if (length <= rest || strcmp(name + length - rest, ending))
            continue;
        f->folder = dit_arena_printf(f->arena, "%.*s/", (int)(length - rest), name);
        return f->folder ? &f->zip.records[i] : NULL;
    }
    return NULL;
}

static dit_status check_byte_order(dit_torch_zip *f, dit_error *error)
{
    char *name = dit_arena_printf(f->arena, "%sbyteorder", f->folder);
    const dit_zip_record *record = name ? dit_zip_find(&f->zip, name) : NULL;
    if (record && (record->size != 6 || memcmp(record->data, "little", 6)))
        return dit_fail(error, DIT_UNSUPPORTED, "%s: was written on a big-endian machine", f->path);
    return DIT_OK;
}

static dit_status read_tensors(dit_torch_zip *f, dit_error *error)
{
    char name[LONGEST_NAME] = "";
    dit_pickle_value *root = NULL;
    const dit_zip_record *pickle = find_pickle(f);
    if (!pickle)
        return dit_fail(error, DIT_BAD_FILE, "%s: is a zip archive, but not by torch.save: it holds no data.pkl",
                        f->path);
    if (pickle->size > LARGEST_PICKLE)
        return dit_fail(error, DIT_UNSUPPORTED, "%s: its data.pkl has %llu bytes; at most %d are read", f->path,
                        (unsigned long long)pickle->size, LARGEST_PICKLE);
    if (crc32(0, pickle->data, (uInt)pickle->size) != pickle->crc)
        return dit_fail(error, DIT_BAD_FILE, "%s: its data.pkl does not have the checksum that the archive gives",
                        f->path);
    f->most_visits = (size_t)pickle->size;
    if (check_byte_order(f, error) ||
        dit_pickle_read(f->arena, f->path, pickle->data, (size_t)pickle->size, &root, error) ||
        walk(f, root, name, 0, 0, error))
        return error->status;
    f->copies = calloc(f->count + 1, sizeof *f->copies);
    return f->copies ? DIT_OK : no_memory(f, error);
}

static dit_status read_archive(dit_torch_zip *f, dit_error *error)
{
    static const unsigned char legacy[] = {0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c,
                                           0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    if (dit_mapped_file_open(&f->bytes, f->path, error))
        return error->status;
    if (f->bytes.size >= sizeof legacy && !memcmp(f->bytes.data, legacy, sizeof legacy))
        return dit_fail(error, DIT_UNSUPPORTED,
                        "%s: is in PyTorch's format before 1.6; torch.save(torch.load(...)) brings it up to date",
                        f->path);
    if (f->bytes.size < 4 || memcmp(f->bytes.data, "PK\3\4", 4))
        return dit_fail(error, DIT_BAD_FILE, "%s: does not start as a file by torch.save does", f->path);
    f->zip = (dit_zip){.path = f->path, .bytes = f->bytes.data, .size = f->bytes.size, .arena = f->arena};
    return dit_zip_read(&f->zip, error) ? error->status : read_tensors(f, error);
}

dit_status dit_torch_zip_open(dit_torch_zip **out, const char *path, dit_error *error)
{
    dit_error own = {0}; // reading goes by it
    dit_torch_zip *f = calloc(1, sizeof *f);
    if (!f)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", path);
    pthread_mutex_init(&f->lock, NULL);
    f->path = path;
    if (!(f->arena = dit_arena_new()) || !(f->path = dit_arena_copy_text(f->arena, path)))
        dit_fail(&own, DIT_NO_MEMORY, "%s: no memory to open it", path);
    else
        read_archive(f, &own);
    if (own.status) {
        dit_torch_zip_close(f);
        return dit_fail(error, own.status, "%s", own.message);
    }
    *out = f;
    return DIT_OK;
}

void dit_torch_zip_close(dit_torch_zip *f)
{
    if (!f)
        return;
    for (size_t i = 0; f->copies && i < f->count; i++)
        free(f->copies[i]);
    free(f->copies);
    free(f->entries);
    dit_name_map_free(&f->names);
    dit_zip_free(&f->zip);
    dit_mapped_file_close(&f->bytes);
    pthread_mutex_destroy(&f->lock);
    dit_arena_free(f->arena);
    free(f);
}

const char *dit_torch_zip_path(const dit_torch_zip *file)
{
    return file->path;
}

size_t dit_torch_zip_count(const dit_torch_zip *file)
{
    return file->count;
}

const dit_torch_entry *dit_torch_zip_at(const dit_torch_zip *file, size_t index)
{
    return &file->entries[index];
}

ptrdiff_t dit_torch_zip_find(const dit_torch_zip *file, const char *name)
{
    return dit_name_map_find(&file->names, name);
}

// Copies the elements in row-major order.
static void gather(const dit_torch_entry *e, unsigned char *to)
{
    size_t size = dit_dtype_size(e->dtype);
    int64_t at[DIT_MAX_RANK] = {0}, count = dit_shape_count(&e->shape), offset = 0;
    for (int64_t i = 0; i < count; i++, to += size) {
        memcpy(to, e->data + offset * (int64_t)size, size);
        for (int k = e->shape.rank - 1; k >= 0; k--) {
            offset += e->stride[k];
            if (++at[k] < e->shape.dim[k])
                break;
            offset -= at[k] * e->stride[k];
            at[k] = 0;
        }
    }
}

static dit_status dense_data(dit_torch_zip *f, size_t index, void **data, dit_error *error)
{
    const dit_torch_entry *e = &f->entries[index];
    dit_status status = DIT_OK;
    *data = (void *)e->data;
    if (e->contiguous && (uintptr_t)e->data % dit_dtype_size(e->dtype) == 0)
        return DIT_OK;
    pthread_mutex_lock(&f->lock);
    if (!f->copies[index]) {
        void *copy = aligned_alloc(64, ((size_t)e->bytes + 64) & ~(size_t)63);
        if (copy) {
            gather(e, copy);
            f->copies[index] = copy;
        } else {
            status = dit_fail(error, DIT_NO_MEMORY, "%s: no memory for the %llu bytes of tensor \"%.80s\"", f->path,
                              (unsigned long long)e->bytes, e->name);
        }
    }
    *data = f->copies[index];
    pthread_mutex_unlock(&f->lock);
    return status;
}

dit_status dit_torch_zip_array(dit_torch_zip *f, size_t index, dit_array *array, dit_error *error)
{
    const dit_torch_entry *e = &f->entries[index];
    if (e->dtype == DIT_DTYPES)
        return dit_fail(error, DIT_UNSUPPORTED, "%s: tensor \"%.80s\" has dtype %s, which is not supported", f->path,
                        e->name, e->dtype_name);
    *array = (dit_array){.dtype = e->dtype, .shape = e->shape};
    dit_status status = dense_data(f, index, &array->data, error);
    const unsigned char *values = array->data;
    for (uint64_t i = 0; !status && e->dtype == DIT_BOOL && i < e->bytes; i++)
        if (values[i] > 1)
            status = dit_fail(error, DIT_BAD_FILE, "%s: tensor \"%.80s\" is bool, but holds the byte %d", f->path,
                              e->name, values[i]);
    return status;
}

void dit_torch_zip_release(const dit_torch_zip *file, const dit_array *array)
{
    dit_mapped_file_release(&file->bytes, array->data, dit_array_bytes(array));
}

bool dit_torch_zip_is_mapped(const dit_torch_zip *file, const dit_array *array)
{
    return dit_mapped_file_holds(&file->bytes, array->data);
}

void dit_torch_zip_prefetch(const dit_torch_zip *file, const dit_array *array)
{
    dit_mapped_file_prefetch(&file->bytes, array->data, dit_array_bytes(array));
}
