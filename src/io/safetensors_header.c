// io/safetensors_header.c: the JSON header of a safetensors file, entry by entry.
//
// jansson parses one entry at a time: a header may have 100 MB, and as one document it would take fifty times that.
#include "io/safetensors_private.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_ITEM = 64 << 10 }; // bytes of a name or of a tensor's entry

static const struct dit_safetensors_dtype dtypes[] = {
    {"BOOL", 8, DIT_BOOL},
    {"F4", 4, DIT_DTYPES},
    {"F6_E2M3", 6, DIT_DTYPES},
    {"F6_E3M2", 6, DIT_DTYPES},
    {"U8", 8, DIT_U8},
    {"I8", 8, DIT_DTYPES},
    {"F8_E5M2", 8, DIT_F8_E5M2},
    {"F8_E4M3", 8, DIT_F8_E4M3},
    {"F8_E8M0", 8, DIT_DTYPES},
    {"F8_E4M3FNUZ", 8, DIT_DTYPES},
    {"F8_E5M2FNUZ", 8, DIT_DTYPES},
    {"I16", 16, DIT_DTYPES},
    {"U16", 16, DIT_DTYPES},
    {"F16", 16, DIT_F16},
    {"BF16", 16, DIT_BF16},
    {"I32", 32, DIT_I32},
    {"U32", 32, DIT_DTYPES},
    {"F32", 32, DIT_F32},
    {"C64", 64, DIT_DTYPES},
    {"F64", 64, DIT_F64},
    {"I64", 64, DIT_I64},
    {"U64", 64, DIT_DTYPES},
};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

const struct dit_safetensors_dtype *dit_safetensors_dtype_named(const char *name)
{
    for (int i = 0; i < DTYPES; i++)
        if (!strcmp(name, dtypes[i].name))
            return &dtypes[i];
    return NULL;
}

const char *dit_safetensors_dtype_name(dit_dtype dtype, int *order)
{
    for (int i = 0; i < DTYPES; i++)
        if (dtypes[i].dtype == dtype) {
            *order = i;
            return dtypes[i].name;
        }
    return NULL;
}

struct cursor {
    dit_safetensors *set;
    int file;
    const char *start, *at, *end;
    bool has_metadata;
    dit_error *error;
};

static const char *path_of(const struct cursor *c)
{
    return c->set->files[c->file].path;
}

static dit_status fail(struct cursor *c, const char *what)
{
    return dit_fail(c->error, DIT_BAD_FILE, "%s: byte %zu of its header: %s", path_of(c), (size_t)(c->at - c->start),
                    what);
}

static dit_status no_memory(struct cursor *c)
{
    return dit_fail(c->error, DIT_NO_MEMORY, "%s: no memory for its header", path_of(c));
}

// The next character that is not white space, or 0 at the end.
static char peek(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t'))
        c->at++;
    return c->at < c->end ? *c->at : 0;
}

static dit_status expect(struct cursor *c, char wanted, const char *what)
{
    if (peek(c) != wanted)
        return fail(c, what);
    c->at++;
    return DIT_OK;
}

// Parses one value that starts with `first` and has at most `longest` bytes.
static dit_status take(struct cursor *c, char first, size_t longest, const char *what, json_t **value)
{
    if (peek(c) != first)
        return fail(c, what);
    size_t left = (size_t)(c->end - c->at);
    json_error_t reason;
    *value = json_loadb(c->at, left < longest ? left : longest,
                        JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &reason);
    if (!*value)
        return json_error_code(&reason) == json_error_out_of_memory ? no_memory(c) : fail(c, reason.text);
    c->at += reason.position;
    return DIT_OK;
}

// Walks `{"key": value, ...}` and calls `member` at each value.
static dit_status walk_object(struct cursor *c, dit_status (*member)(struct cursor *c, const char *key))
{
    dit_status status = expect(c, '{', "an object must start here");
    if (!status && peek(c) == '}') {
        c->at++;
        return DIT_OK;
    }
    while (!status) {
        json_t *key;
        status = take(c, '"', LONGEST_ITEM, "a name must stand here", &key);
        if (status)
            break;
        status = expect(c, ':', "':' must stand here");
        if (!status)
            status = member(c, json_string_value(key));
        json_decref(key);
        if (status)
            break;
        if (peek(c) == '}') {
            c->at++;
            break;
        }
        status = expect(c, ',', "',' or '}' must stand here");
    }
    return status;
}

static dit_status metadata_member(struct cursor *c, const char *key)
{
    dit_safetensors *set = c->set;
    json_t *value;
    dit_status status = take(c, '"', (size_t)(c->end - c->at), "a metadata value must be a text", &value);
    if (status)
        return status;
    if (c->file == 0) {
        dit_text_pair pair = {dit_arena_copy_text(set->arena, key),
                              dit_arena_copy_text(set->arena, json_string_value(value))};
        if (!pair.key || !pair.value ||
            !dit_grow(&set->metadata, &set->metadata_capacity, set->metadata_count + 1, sizeof pair))
            status = no_memory(c);
        else
            set->metadata[set->metadata_count++] = pair;
    }
    json_decref(value);
    return status;
}

// The extents into `entry`, and its bytes. An empty tensor's other extents are bounded as well, since strides are made
// of them.
static dit_status read_shape(struct cursor *c, const json_t *shape, int bits, dit_safetensors_entry *entry)
{
    uint64_t total = (uint64_t)bits, bound = (uint64_t)bits;
    entry->rank = (int)json_array_size(shape);
    for (int i = 0; i < entry->rank; i++) {
        const json_t *item = json_array_get(shape, (size_t)i);
        if (!json_is_integer(item) || json_integer_value(item) < 0)
            return dit_fail(c->error, DIT_BAD_FILE, "%s: tensor \"%.80s\": its shape holds something that is no extent",
                            path_of(c), entry->name);
        uint64_t extent = (uint64_t)json_integer_value(item);
        if (__builtin_mul_overflow(bound, extent ? extent : 1, &bound) || bound >> 62)
            return dit_fail(c->error, DIT_BAD_FILE, "%s: tensor \"%.80s\": its shape is larger than any memory",
                            path_of(c), entry->name);
        if (i < DIT_MAX_RANK)
            entry->dim[i] = (int64_t)extent;
        total *= extent;
    }
    if (total % 8)
        return dit_fail(c->error, DIT_BAD_FILE, "%s: tensor \"%.80s\": its elements do not fill whole bytes",
                        path_of(c), entry->name);
    entry->bytes = total / 8;
    return DIT_OK;
}

static dit_status read_entry(struct cursor *c, const json_t *object, dit_safetensors_entry *entry)
{
    const json_t *dtype = json_object_get(object, "dtype"), *shape = json_object_get(object, "shape");
    const json_t *offsets = json_object_get(object, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_object_size(object) != 3 || !json_is_string(dtype) || !json_is_array(shape) ||
        json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return dit_fail(
            c->error, DIT_BAD_FILE,
            "%s: tensor \"%.80s\": its entry must hold a dtype, a shape and two data_offsets, and nothing else",
            path_of(c), entry->name);
    const struct dit_safetensors_dtype *known = dit_safetensors_dtype_named(json_string_value(dtype));
    if (!known)
        return dit_fail(c->error, DIT_BAD_FILE, "%s: tensor \"%.80s\": the format has no dtype \"%.40s\"", path_of(c),
                        entry->name, json_string_value(dtype));
    entry->dtype_name = known->name;
    entry->dtype = known->dtype;
    dit_status status = read_shape(c, shape, known->bits, entry);
    if (status)
        return status;
    int64_t from = json_integer_value(begin), to = json_integer_value(end);
    uint64_t available = c->set->files[c->file].data_size;
    if (from < 0 || to < from || (uint64_t)to > available)
        return dit_fail(c->error, DIT_BAD_FILE,
                        "%s: tensor \"%.80s\": its data_offsets [%lld, %lld] are not within the "
                        "%llu bytes of data",
                        path_of(c), entry->name, (long long)from, (long long)to, (unsigned long long)available);
    if ((uint64_t)(to - from) != entry->bytes)
        return dit_fail(c->error, DIT_BAD_FILE,
                        "%s: tensor \"%.80s\": its data_offsets span %lld bytes, but its shape "
                        "and dtype take %llu",
                        path_of(c), entry->name, (long long)(to - from), (unsigned long long)entry->bytes);
    entry->offset = (uint64_t)from;
    return DIT_OK;
}

static dit_status header_member(struct cursor *c, const char *key)
{
    if (!strcmp(key, "__metadata__")) {
        if (c->has_metadata)
            return fail(c, "\"__metadata__\" is there twice");
        c->has_metadata = true;
        return walk_object(c, metadata_member);
    }
    dit_safetensors *set = c->set;
    dit_safetensors_entry entry = {.name = dit_arena_copy_text(set->arena, key), .file = c->file};
    json_t *object;
    dit_status status = take(c, '{', LONGEST_ITEM, "a tensor's entry must stand here", &object);
    if (status)
        return status;
    if (!entry.name || !dit_grow(&set->entries, &set->capacity, set->count + 1, sizeof entry))
        status = no_memory(c);
    else
        status = read_entry(c, object, &entry);
    if (!status)
        set->entries[set->count++] = entry;
    json_decref(object);
    return status;
}

static int by_offset(const void *a, const void *b)
{
    const dit_safetensors_entry *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    if (x->bytes != y->bytes) // empty tensors come before the one that starts at the same place
        return x->bytes < y->bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

static dit_status check_coverage(struct cursor *c, size_t first)
{
    dit_safetensors *set = c->set;
    uint64_t at = 0, size = set->files[c->file].data_size;
    for (size_t i = first; i < set->count; i++) {
        const dit_safetensors_entry *e = &set->entries[i];
        if (e->offset < at)
            return dit_fail(c->error, DIT_BAD_FILE, "%s: tensors \"%.80s\" and \"%.80s\" overlap", path_of(c),
                            set->entries[i - 1].name, e->name);
        if (e->offset > at)
            return dit_fail(c->error, DIT_BAD_FILE, "%s: %llu bytes before tensor \"%.80s\" belong to no tensor",
                            path_of(c), (unsigned long long)(e->offset - at), e->name);
        at += e->bytes;
    }
    if (at != size)
        return dit_fail(c->error, DIT_BAD_FILE, "%s: its last %llu bytes belong to no tensor", path_of(c),
                        (unsigned long long)(size - at));
    return DIT_OK;
}

static int by_key(const void *a, const void *b)
{
    const dit_text_pair *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static dit_status check_metadata(struct cursor *c)
{
    dit_safetensors *set = c->set;
    if (set->metadata_count > 1)
        qsort(set->metadata, set->metadata_count, sizeof *set->metadata, by_key);
    for (size_t i = 1; i < set->metadata_count; i++)
        if (!strcmp(set->metadata[i - 1].key, set->metadata[i].key))
            return dit_fail(c->error, DIT_BAD_FILE, "%s: its metadata gives \"%.80s\" twice", path_of(c),
                            set->metadata[i].key);
    return DIT_OK;
}

dit_status dit_safetensors_parse_header(dit_safetensors *set, int file, const char *header, size_t size,
                                        dit_error *error)
{
    struct cursor c = {set, file, header, header, header + size, false, error};
    size_t first = set->count;
    if (size == 0 || *header != '{')
        return fail(&c, "it must start with '{'; this is no safetensors file");
    dit_status status = walk_object(&c, header_member);
    if (!status && peek(&c))
        status = fail(&c, "something follows the header's end");
    if (!status && c.at != c.end)
        status = fail(&c, "a zero byte follows the header's end");
    if (status)
        return status;
    if (set->count > first)
        qsort(set->entries + first, set->count - first, sizeof *set->entries, by_offset);
    status = check_metadata(&c);
    return status ? status : check_coverage(&c, first);
}
