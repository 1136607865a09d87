// io/gguf.c: reading GGUF files.
#include "io/gguf.h"
#include "base/arena.h"
#include "base/name_map.h"
#include "io/file.h"
#include "io/gguf_private.h"
#include "io/mapped_file.h"
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct dit_gguf {
    dit_arena *arena; // names, keys, texts
    const char *path;
    dit_mapped_file bytes;
    dit_gguf_entry *entries;
    dit_gguf_value *values;
    size_t count, value_count;
    dit_name_map names, keys;
};

static const struct dit_gguf_format formats[] = {
    {0, "F32", DIT_F32, 1, 4},
    {1, "F16", DIT_F16, 1, 2},
    {2, "Q4_0", DIT_Q4_0, 32, 18},
    {3, "Q4_1", DIT_Q4_1, 32, 20},
    {6, "Q5_0", DIT_Q5_0, 32, 22},
    {7, "Q5_1", DIT_Q5_1, 32, 24},
    {8, "Q8_0", DIT_Q8_0, 32, 34},
    {9, "Q8_1", DIT_DTYPES, 32, 40},
    {10, "Q2_K", DIT_Q2_K, 256, 84},
    {11, "Q3_K", DIT_Q3_K, 256, 110},
    {12, "Q4_K", DIT_Q4_K, 256, 144},
    {13, "Q5_K", DIT_Q5_K, 256, 176},
    {14, "Q6_K", DIT_Q6_K, 256, 210},
    {15, "Q8_K", DIT_DTYPES, 256, 292},
    {16, "IQ2_XXS", DIT_DTYPES, 256, 66},
    {17, "IQ2_XS", DIT_DTYPES, 256, 74},
    {18, "IQ3_XXS", DIT_DTYPES, 256, 98},
    {19, "IQ1_S", DIT_DTYPES, 256, 50},
    {20, "IQ4_NL", DIT_DTYPES, 32, 18},
    {21, "IQ3_S", DIT_DTYPES, 256, 110},
    {22, "IQ2_S", DIT_DTYPES, 256, 82},
    {23, "IQ4_XS", DIT_DTYPES, 256, 136},
    {24, "I8", DIT_DTYPES, 1, 1},
    {25, "I16", DIT_DTYPES, 1, 2},
    {26, "I32", DIT_I32, 1, 4},
    {27, "I64", DIT_I64, 1, 8},
    {28, "F64", DIT_F64, 1, 8},
    {29, "IQ1_M", DIT_DTYPES, 256, 56},
    {30, "BF16", DIT_BF16, 1, 2},
    {34, "TQ1_0", DIT_DTYPES, 256, 54},
    {35, "TQ2_0", DIT_DTYPES, 256, 66},
    {39, "MXFP4", DIT_DTYPES, 32, 17},
    {40, "NVFP4", DIT_DTYPES, 64, 36},
    {41, "Q1_0", DIT_DTYPES, 128, 18},
};
enum { FORMATS = sizeof formats / sizeof *formats };

const struct dit_gguf_format *dit_gguf_format_numbered(uint32_t number)
{
    for (int i = 0; i < FORMATS; i++)
        if ((uint32_t)formats[i].number == number)
            return &formats[i];
    return NULL;
}

const struct dit_gguf_format *dit_gguf_format_of(dit_dtype dtype)
{
    for (int i = 0; i < FORMATS; i++)
        if (formats[i].dtype == dtype)
            return &formats[i];
    return NULL;
}

const char *dit_gguf_type_name(dit_dtype dtype)
{
    const struct dit_gguf_format *format = dtype < DIT_DTYPES ? dit_gguf_format_of(dtype) : NULL;
    return format ? format->name : NULL;
}

// ---- Reading fields. Every read checks that the bytes are there; after a failure reads give 0.

struct cursor {
    dit_gguf *file;
    size_t at;
    dit_error *error;
};

static dit_status fail(struct cursor *c, const char *what)
{
    return dit_fail(c->error, DIT_BAD_FILE, "%s: byte %zu: %s", c->file->path, c->at, what);
}

static size_t left(const struct cursor *c)
{
    return c->file->bytes.size - c->at;
}

static uint64_t little_endian(const unsigned char *b, int bytes)
{
    uint64_t x = 0;
    for (int i = bytes - 1; i >= 0; i--)
        x = x << 8 | b[i];
    return x;
}

static uint64_t take(struct cursor *c, int bytes)
{
    if (c->error->status)
        return 0;
    if (left(c) < (size_t)bytes)
        return fail(c, "the file is cut short"), 0;
    uint64_t x = little_endian(c->file->bytes.data + c->at, bytes);
    c->at += (size_t)bytes;
    return x;
}

// A text of at most `longest` bytes, copied and ended by a zero. "" after a failure.
static const char *take_text(struct cursor *c, uint64_t longest)
{
    uint64_t length = take(c, 8);
    if (c->error->status)
        return "";
    if (length > left(c) || length > longest)
        return fail(c, length > left(c) ? "a text is longer than the file" : "a name is too long"), "";
    if (memchr(c->file->bytes.data + c->at, 0, (size_t)length))
        return fail(c, "a text holds a zero byte"), "";
    json_t *read = json_stringn((const char *)c->file->bytes.data + c->at, (size_t)length);
    json_decref(read);
    if (!read)
        return fail(c, "a text is not UTF-8, or memory is out"), "";
    char *text = dit_arena_alloc(c->file->arena, (size_t)length + 1);
    if (!text)
        return dit_fail(c->error, DIT_NO_MEMORY, "%s: no memory for its metadata", c->file->path), "";
    memcpy(text, c->file->bytes.data + c->at, (size_t)length);
    c->at += (size_t)length;
    return text;
}

static const int item_bytes[DIT_GGUF_TYPES] = {
    [DIT_GGUF_U8] = 1,  [DIT_GGUF_I8] = 1,  [DIT_GGUF_U16] = 2, [DIT_GGUF_I16] = 2,
    [DIT_GGUF_U32] = 4, [DIT_GGUF_I32] = 4, [DIT_GGUF_F32] = 4, [DIT_GGUF_BOOL] = 1,
    [DIT_GGUF_U64] = 8, [DIT_GGUF_I64] = 8, [DIT_GGUF_F64] = 8,
};

// Steps over the items of a list.
static void skip_items(struct cursor *c, const dit_gguf_value *v)
{
    if (v->type != DIT_GGUF_TEXT) {
        if (v->count > left(c) / (uint64_t)item_bytes[v->type])
            fail(c, "a list is longer than the file");
        else
            c->at += (size_t)v->count * (size_t)item_bytes[v->type];
        return;
    }
    if (v->count > left(c) / 8)
        fail(c, "a list is longer than the file");
    for (uint64_t i = 0; i < v->count && !c->error->status; i++) {
        uint64_t length = take(c, 8);
        if (length > left(c))
            fail(c, "a text is longer than the file");
        else
            c->at += (size_t)length;
    }
}

static dit_status check_bools(struct cursor *c, const dit_gguf_value *v)
{
    for (uint64_t i = 0; v->type == DIT_GGUF_BOOL && i < v->bytes; i++)
        if (v->data[i] > 1)
            return fail(c, "a bool is neither 0 nor 1");
    return DIT_OK;
}

static dit_status read_value(struct cursor *c, dit_gguf_value *v)
{
    v->key = take_text(c, 65535);
    uint64_t type = take(c, 4);
    v->list = type == DIT_GGUF_LIST;
    if (v->list)
        type = take(c, 4);
    v->count = v->list ? take(c, 8) : 1;
    if (c->error->status)
        return c->error->status;
    if (type >= DIT_GGUF_TYPES || type == DIT_GGUF_LIST)
        return fail(c, "a metadata value has an unknown type");
    v->type = (dit_gguf_type)type;
    size_t start = c->at;
    v->data = c->file->bytes.data + start;
    if (v->type == DIT_GGUF_TEXT && !v->list)
        v->text = take_text(c, UINT64_MAX);
    else
        skip_items(c, v);
    v->bytes = c->at - start;
    return c->error->status ? c->error->status : check_bools(c, v);
}

static dit_status read_metadata(struct cursor *c)
{
    dit_gguf *f = c->file;
    for (size_t i = 0; i < f->value_count; i++) {
        dit_gguf_value *v = &f->values[i];
        if (read_value(c, v))
            return c->error->status;
        if (dit_name_map_find(&f->keys, v->key) >= 0)
            return dit_fail(c->error, DIT_BAD_FILE, "%s: its metadata gives \"%.80s\" twice", f->path, v->key);
        if (!dit_name_map_add(&f->keys, v->key, (int)i))
            return dit_fail(c->error, DIT_NO_MEMORY, "%s: no memory for its metadata", f->path);
    }
    return DIT_OK;
}

// The extents in the file's order, innermost first, and the tensor's bytes.
static dit_status read_shape(struct cursor *c, dit_gguf_entry *e, int64_t extent[DIT_GGUF_RANK])
{
    uint64_t rank = take(c, 4);
    if (rank > DIT_GGUF_RANK)
        return dit_fail(c->error, DIT_BAD_FILE, "%s: tensor \"%.80s\" has %llu dimensions; the format allows %d",
                        c->file->path, e->name, (unsigned long long)rank, DIT_GGUF_RANK);
    uint64_t bound = 1;
    e->rank = (int)rank;
    for (int i = 0; i < e->rank; i++) {
        uint64_t n = take(c, 8);
        if (__builtin_mul_overflow(bound, n ? n : 1, &bound) || bound >> 56)
            return dit_fail(c->error, DIT_BAD_FILE, "%s: tensor \"%.80s\": its shape is larger than any memory",
                            c->file->path, e->name);
        extent[i] = (int64_t)n;
    }
    for (int i = 0; i < e->rank; i++)
        e->dim[i] = extent[e->rank - 1 - i];
    return c->error->status;
}

// One tensor's description. Its offset in the data part is left in e->data until the place of that part is known.
static dit_status read_entry(struct cursor *c, dit_gguf_entry *e)
{
    int64_t extent[DIT_GGUF_RANK] = {1, 1, 1, 1};
    e->name = take_text(c, 65535);
    if (c->error->status || read_shape(c, e, extent))
        return c->error->status;
    uint32_t type = (uint32_t)take(c, 4);
    uint64_t offset = take(c, 8);
    if (c->error->status)
        return c->error->status;
    const struct dit_gguf_format *format = dit_gguf_format_numbered(type);
    if (!format)
        return dit_fail(c->error, DIT_UNSUPPORTED, "%s: tensor \"%.80s\" has the unknown type %u", c->file->path,
                        e->name, type);
    if (extent[0] % format->block)
        return dit_fail(c->error, DIT_BAD_FILE,
                        "%s: tensor \"%.80s\": its rows of %lld are not whole blocks of %s (%d)", c->file->path,
                        e->name, (long long)extent[0], format->name, format->block);
    uint64_t elements = (uint64_t)(extent[0] * extent[1] * extent[2] * extent[3]);
    e->type_name = format->name;
    e->dtype = format->dtype;
    e->bytes = elements / (uint64_t)format->block * (uint64_t)format->bytes;
    e->data = (const void *)(uintptr_t)offset;
    return DIT_OK;
}

static int by_place(const void *a, const void *b)
{
    const dit_gguf_entry *x = *(const dit_gguf_entry *const *)a, *y = *(const dit_gguf_entry *const *)b;
    if (x->data != y->data)
        return (uintptr_t)x->data < (uintptr_t)y->data ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

// Tensors must not share bytes. What lies between them is padding.
static dit_status check_overlap(struct cursor *c)
{
    dit_gguf *f = c->file;
    dit_status status = DIT_OK;
    const dit_gguf_entry **order = malloc((f->count + 1) * sizeof *order);
    if (!order)
        return dit_fail(c->error, DIT_NO_MEMORY, "%s: no memory for its %zu tensors", f->path, f->count);
    for (size_t i = 0; i < f->count; i++)
        order[i] = &f->entries[i];
    qsort(order, f->count, sizeof *order, by_place);
    for (size_t i = 1; i < f->count && !status; i++)
        if ((const char *)order[i - 1]->data + order[i - 1]->bytes > (const char *)order[i]->data)
            status = dit_fail(c->error, DIT_BAD_FILE, "%s: tensors \"%.80s\" and \"%.80s\" overlap", f->path,
                              order[i - 1]->name, order[i]->name);
    free(order);
    return status;
}

static dit_status read_alignment(struct cursor *c, uint64_t *alignment)
{
    const dit_gguf_value *v = dit_gguf_metadata(c->file, "general.alignment");
    int64_t a = DIT_GGUF_ALIGNMENT;
    if (v && (v->list || !dit_gguf_integer(v, 0, &a) || a < 8 || a > 1 << 20 || (a & (a - 1))))
        return dit_fail(c->error, DIT_BAD_FILE, "%s: \"general.alignment\" is not a power of two between 8 and 1048576",
                        c->file->path);
    *alignment = (uint64_t)a;
    return DIT_OK;
}

static dit_status read_tensors(struct cursor *c)
{
    dit_gguf *f = c->file;
    uint64_t alignment = 0;
    for (size_t i = 0; i < f->count; i++) {
        dit_gguf_entry *e = &f->entries[i];
        if (read_entry(c, e))
            return c->error->status;
        if (dit_name_map_find(&f->names, e->name) >= 0)
            return dit_fail(c->error, DIT_BAD_FILE, "%s: tensor \"%.80s\" is there twice", f->path, e->name);
        if (!dit_name_map_add(&f->names, e->name, (int)i))
            return dit_fail(c->error, DIT_NO_MEMORY, "%s: no memory for its tensors", f->path);
    }
    if (read_alignment(c, &alignment))
        return c->error->status;
    uint64_t start = (c->at + alignment - 1) & ~(alignment - 1);
    uint64_t size = start < f->bytes.size ? f->bytes.size - start : 0;
    for (size_t i = 0; i < f->count; i++) {
        dit_gguf_entry *e = &f->entries[i];
        uint64_t offset = (uintptr_t)e->data;
        if (offset % alignment || offset > size || e->bytes > size - offset)
            return dit_fail(
                c->error, DIT_BAD_FILE,
                "%s: tensor \"%.80s\": its %llu bytes at %llu are not within the %llu bytes of data, or not at "
                "a multiple of %llu",
                f->path, e->name, (unsigned long long)e->bytes, (unsigned long long)offset, (unsigned long long)size,
                (unsigned long long)alignment);
        e->data = e->bytes ? f->bytes.data + start + offset : f->bytes.data;
    }
    return check_overlap(c);
}

// The first 24 bytes: magic, version, and how much there is. The least that an item takes bounds the counts.
static dit_status read_start(struct cursor *c)
{
    enum { LEAST_TENSOR = 24, LEAST_VALUE = 13 };
    dit_gguf *f = c->file;
    if (f->bytes.size < 24 || memcmp(f->bytes.data, "GGUF", 4))
        return dit_fail(c->error, DIT_BAD_FILE, "%s: does not start as a GGUF file does", f->path);
    c->at = 4;
    uint32_t version = (uint32_t)take(c, 4);
    if (version != 2 && version != 3)
        return dit_fail(c->error, DIT_UNSUPPORTED, "%s: is %s; versions 2 and 3, little-endian, are read", f->path,
                        version & 0xffff ? "a GGUF file of another version" : "a big-endian GGUF file");
    uint64_t tensors = take(c, 8), values = take(c, 8);
    if (tensors > left(c) / LEAST_TENSOR || values > left(c) / LEAST_VALUE || tensors > INT_MAX || values > INT_MAX)
        return dit_fail(c->error, DIT_BAD_FILE, "%s: claims %llu tensors and %llu metadata values in %zu bytes",
                        f->path, (unsigned long long)tensors, (unsigned long long)values, f->bytes.size);
    f->entries = calloc((size_t)tensors + 1, sizeof *f->entries);
    f->values = calloc((size_t)values + 1, sizeof *f->values);
    if (!f->entries || !f->values)
        return dit_fail(c->error, DIT_NO_MEMORY, "%s: no memory for its header", f->path);
    f->count = (size_t)tensors;
    f->value_count = (size_t)values;
    return DIT_OK;
}

bool dit_is_gguf(const char *path)
{
    int fd;
    uint64_t size;
    char start[4];
    dit_error ignored = {0};
    if (dit_file_open(path, &fd, &size, &ignored))
        return false;
    bool is = size >= sizeof start && !dit_file_read_at(fd, path, start, sizeof start, 0, &ignored) &&
              !memcmp(start, "GGUF", sizeof start);
    close(fd);
    return is;
}

dit_status dit_gguf_open(dit_gguf **out, const char *path, dit_error *error)
{
    dit_error own = {0}; // reads look at it
    dit_gguf *f = calloc(1, sizeof *f);
    if (!f || !(f->arena = dit_arena_new()) || !(f->path = dit_arena_copy_text(f->arena, path))) {
        dit_gguf_close(f);
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", path);
    }
    struct cursor c = {f, 0, &own};
    if (dit_mapped_file_open(&f->bytes, path, &own) || read_start(&c) || read_metadata(&c) || read_tensors(&c)) {
        dit_gguf_close(f);
        return dit_fail(error, own.status, "%s", own.message);
    }
    *out = f;
    return DIT_OK;
}

void dit_gguf_close(dit_gguf *file)
{
    if (!file)
        return;
    dit_mapped_file_close(&file->bytes);
    dit_name_map_free(&file->names);
    dit_name_map_free(&file->keys);
    free(file->entries);
    free(file->values);
    dit_arena_free(file->arena);
    free(file);
}

const char *dit_gguf_path(const dit_gguf *file)
{
    return file->path;
}

size_t dit_gguf_count(const dit_gguf *file)
{
    return file->count;
}

const dit_gguf_entry *dit_gguf_at(const dit_gguf *file, size_t index)
{
    return &file->entries[index];
}

ptrdiff_t dit_gguf_find(const dit_gguf *file, const char *name)
{
    return dit_name_map_find(&file->names, name);
}

dit_status dit_gguf_array(const dit_gguf *file, size_t index, dit_array *array, dit_error *error)
{
    const dit_gguf_entry *e = &file->entries[index];
    if (e->dtype == DIT_DTYPES)
        return dit_fail(error, DIT_UNSUPPORTED, "%s: tensor \"%.80s\" has the type %s, which is not supported",
                        file->path, e->name, e->type_name);
    *array = (dit_array){.dtype = e->dtype, .shape = {.rank = e->rank}, .data = (void *)e->data};
    memcpy(array->shape.dim, e->dim, sizeof e->dim);
    return DIT_OK;
}

void dit_gguf_release(const dit_gguf *file, const dit_array *array)
{
    dit_mapped_file_release(&file->bytes, array->data, dit_array_bytes(array));
}

bool dit_gguf_is_mapped(const dit_gguf *file, const dit_array *array)
{
    return dit_mapped_file_holds(&file->bytes, array->data);
}

void dit_gguf_prefetch(const dit_gguf *file, const dit_array *array)
{
    dit_mapped_file_prefetch(&file->bytes, array->data, dit_array_bytes(array));
}

size_t dit_gguf_metadata_count(const dit_gguf *file)
{
    return file->value_count;
}

const dit_gguf_value *dit_gguf_metadata_at(const dit_gguf *file, size_t index)
{
    return &file->values[index];
}

const dit_gguf_value *dit_gguf_metadata(const dit_gguf *file, const char *key)
{
    int i = dit_name_map_find(&file->keys, key);
    return i < 0 ? NULL : &file->values[i];
}

bool dit_gguf_integer(const dit_gguf_value *v, uint64_t index, int64_t *integer)
{
    int bytes = item_bytes[v->type];
    if (index >= v->count || v->type == DIT_GGUF_TEXT || v->type == DIT_GGUF_F32 || v->type == DIT_GGUF_F64)
        return false;
    uint64_t x = little_endian(v->data + index * (uint64_t)bytes, bytes);
    bool is_signed = v->type == DIT_GGUF_I8 || v->type == DIT_GGUF_I16 || v->type == DIT_GGUF_I32;
    if (is_signed && x >> (8 * bytes - 1))
        x |= ~(uint64_t)0 << (8 * bytes - 1);
    *integer = (int64_t)x;
    return v->type != DIT_GGUF_U64 || x <= INT64_MAX;
}

bool dit_gguf_number(const dit_gguf_value *v, uint64_t index, double *number)
{
    int64_t integer;
    if (index >= v->count || v->type == DIT_GGUF_TEXT)
        return false;
    if (v->type == DIT_GGUF_F32) {
        float value;
        memcpy(&value, v->data + index * 4, 4);
        *number = (double)value;
    } else if (v->type == DIT_GGUF_F64) {
        memcpy(number, v->data + index * 8, 8);
    } else {
        if (!dit_gguf_integer(v, index, &integer))
            return false;
        *number = (double)integer;
    }
    return true;
}

bool dit_gguf_next_text(const dit_gguf_value *v, uint64_t *cursor, const char **text, size_t *length)
{
    if (v->type != DIT_GGUF_TEXT || *cursor >= v->bytes)
        return false;
    *length = (size_t)little_endian(v->data + *cursor, 8);
    *text = (const char *)v->data + *cursor + 8;
    *cursor += 8 + *length;
    return true;
}
