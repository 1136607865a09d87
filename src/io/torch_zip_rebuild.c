// io/torch_zip_rebuild.c: the few objects that a pickle by torch.save may make: storages, tensors, parameters, dicts
// and sizes. Sources: torch/_utils.py and torch/serialization.py.
#include "io/torch_zip_private.h"
#include <string.h>

static const struct dit_torch_dtype dtypes[] = {
    {"float32", "FloatStorage", 4, DIT_F32},
    {"float16", "HalfStorage", 2, DIT_F16},
    {"bfloat16", "BFloat16Storage", 2, DIT_BF16},
    {"float64", "DoubleStorage", 8, DIT_F64},
    {"int64", "LongStorage", 8, DIT_I64},
    {"int32", "IntStorage", 4, DIT_I32},
    {"int16", "ShortStorage", 2, DIT_DTYPES},
    {"int8", "CharStorage", 1, DIT_DTYPES},
    {"uint8", "ByteStorage", 1, DIT_U8},
    {"bool", "BoolStorage", 1, DIT_BOOL},
    {"complex64", "ComplexFloatStorage", 8, DIT_DTYPES},
    {"complex128", "ComplexDoubleStorage", 16, DIT_DTYPES},
    {"float8_e4m3fn", NULL, 1, DIT_F8_E4M3},
    {"float8_e5m2", NULL, 1, DIT_F8_E5M2},
    {"uint16", NULL, 2, DIT_DTYPES},
    {"uint32", NULL, 4, DIT_DTYPES},
    {"uint64", NULL, 8, DIT_DTYPES},
};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

static const struct {
    const char *module, *name;
    dit_pickle_value value;
} globals[] = {
    {"collections", "OrderedDict", {.kind = DIT_PICKLE_GLOBAL, .global = DIT_GLOBAL_ORDERED_DICT}},
    {"argparse", "Namespace", {.kind = DIT_PICKLE_GLOBAL, .global = DIT_GLOBAL_NAMESPACE}},
    {"torch._utils", "_rebuild_tensor_v2", {.kind = DIT_PICKLE_GLOBAL, .global = DIT_GLOBAL_REBUILD_TENSOR}},
    {"torch._utils", "_rebuild_tensor_v3", {.kind = DIT_PICKLE_GLOBAL, .global = DIT_GLOBAL_REBUILD_TENSOR_3}},
    {"torch._utils", "_rebuild_parameter", {.kind = DIT_PICKLE_GLOBAL, .global = DIT_GLOBAL_REBUILD_PARAMETER}},
    {"torch", "Size", {.kind = DIT_PICKLE_GLOBAL, .global = DIT_GLOBAL_SIZE}},
    {"torch.storage", "UntypedStorage", {.kind = DIT_PICKLE_GLOBAL, .global = DIT_GLOBAL_UNTYPED_STORAGE}},
    {"torch", "UntypedStorage", {.kind = DIT_PICKLE_GLOBAL, .global = DIT_GLOBAL_UNTYPED_STORAGE}},
};

// The storage classes and dtypes as values, one of each for each dtype.
#define EACH_DTYPE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16)
#define STORAGE(i) {.kind = DIT_PICKLE_GLOBAL, .global = DIT_GLOBAL_STORAGE, .dtype = &dtypes[i]},
#define DTYPE(i) {.kind = DIT_PICKLE_GLOBAL, .global = DIT_GLOBAL_DTYPE, .dtype = &dtypes[i]},
static const dit_pickle_value storages[DTYPES] = {EACH_DTYPE(STORAGE)}, dtype_values[DTYPES] = {EACH_DTYPE(DTYPE)};

const dit_pickle_value *dit_pickle_find_global(const char *module, const char *name)
{
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if (!strcmp(module, globals[i].module) && !strcmp(name, globals[i].name))
            return &globals[i].value;
    for (int i = 0; i < DTYPES && !strcmp(module, "torch"); i++) {
        if (dtypes[i].storage && !strcmp(name, dtypes[i].storage))
            return &storages[i];
        if (!strcmp(name, dtypes[i].name))
            return &dtype_values[i];
    }
    return NULL;
}

static const dit_pickle_value *item(const dit_pickle_value *tuple, size_t i, dit_pickle_kind kind)
{
    return tuple->kind == DIT_PICKLE_TUPLE && i < tuple->count && tuple->items[i]->kind == kind ? tuple->items[i]
                                                                                                : NULL;
}

dit_status dit_pickle_make_storage(const dit_pickle_value *id, dit_pickle_value *storage, const char *path,
                                   dit_error *error)
{
    const dit_pickle_value *what = item(id, 0, DIT_PICKLE_TEXT), *class = item(id, 1, DIT_PICKLE_GLOBAL);
    const dit_pickle_value *key = item(id, 2, DIT_PICKLE_TEXT), *elements = item(id, 4, DIT_PICKLE_INTEGER);
    if (!what || strcmp(what->text, "storage") || !class || !key || !elements || elements->integer < 0 ||
        (class->global != DIT_GLOBAL_STORAGE && class->global != DIT_GLOBAL_UNTYPED_STORAGE))
        return dit_fail(error, DIT_BAD_FILE, "%s: its pickle describes a storage in an unknown way", path);
    *storage = (dit_pickle_value){
        .kind = DIT_PICKLE_STORAGE, .dtype = class->dtype, .text = key->text, .integer = elements->integer};
    return DIT_OK;
}

// A tuple of `count` integers, none negative.
static bool read_extents(const dit_pickle_value *tuple, int count, int64_t *extents)
{
    for (int i = 0; i < count; i++) {
        const dit_pickle_value *extent = item(tuple, (size_t)i, DIT_PICKLE_INTEGER);
        if (!extent || extent->integer < 0)
            return false;
        extents[i] = extent->integer;
    }
    return true;
}

// _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks), and v3 with the dtype after these.
static dit_status make_tensor(dit_arena *arena, const dit_pickle_value *a, bool has_dtype, dit_pickle_value *tensor,
                              const char *path, dit_error *error)
{
    const dit_pickle_value *storage = item(a, 0, DIT_PICKLE_STORAGE), *offset = item(a, 1, DIT_PICKLE_INTEGER);
    const dit_pickle_value *size = item(a, 2, DIT_PICKLE_TUPLE), *stride = item(a, 3, DIT_PICKLE_TUPLE);
    const dit_pickle_value *dtype = has_dtype ? item(a, 6, DIT_PICKLE_GLOBAL) : storage;
    if (!storage || !offset || offset->integer < 0 || !size || !stride || size->count != stride->count || !dtype ||
        !dtype->dtype)
        return dit_fail(error, DIT_BAD_FILE, "%s: its pickle describes a tensor in an unknown way", path);
    if (size->count > DIT_MAX_RANK)
        return dit_fail(error, DIT_UNSUPPORTED, "%s: holds a tensor of %zu dimensions; at most %d are supported", path,
                        size->count, DIT_MAX_RANK);
    struct dit_pickle_layout *layout = dit_arena_alloc(arena, sizeof *layout);
    if (!layout)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its pickle", path);
    *tensor = (dit_pickle_value){.kind = DIT_PICKLE_TENSOR,
                                 .dtype = dtype->dtype,
                                 .storage = storage,
                                 .integer = offset->integer,
                                 .layout = layout};
    layout->shape.rank = (int)size->count;
    if (!read_extents(size, layout->shape.rank, layout->shape.dim) ||
        !read_extents(stride, layout->shape.rank, layout->stride))
        return dit_fail(error, DIT_BAD_FILE, "%s: holds a tensor whose size or stride is no tuple of extents", path);
    return DIT_OK;
}

dit_status dit_pickle_call(dit_arena *arena, const dit_pickle_value *global, const dit_pickle_value *a,
                           dit_pickle_value *result, const char *path, dit_error *error)
{
    const dit_pickle_value *data;
    switch (global->kind == DIT_PICKLE_GLOBAL && a->kind == DIT_PICKLE_TUPLE ? global->global : DIT_GLOBAL_DTYPE) {
    case DIT_GLOBAL_NAMESPACE:    // its options are attributes
    case DIT_GLOBAL_ORDERED_DICT: // arguments would be items, which torch adds afterwards
        if (a->count)
            break;
        *result = (dit_pickle_value){.kind = DIT_PICKLE_DICT};
        return DIT_OK;
    case DIT_GLOBAL_REBUILD_TENSOR:
        return make_tensor(arena, a, false, result, path, error);
    case DIT_GLOBAL_REBUILD_TENSOR_3:
        return make_tensor(arena, a, true, result, path, error);
    case DIT_GLOBAL_REBUILD_PARAMETER:
        if (!(data = item(a, 0, DIT_PICKLE_TENSOR)))
            break;
        *result = *data;
        return DIT_OK;
    case DIT_GLOBAL_SIZE:
        if (!(data = item(a, 0, DIT_PICKLE_TUPLE)))
            break;
        *result = *data;
        return DIT_OK;
    default:
        break;
    }
    return dit_fail(error, DIT_BAD_FILE, "%s: its pickle makes an object in an unknown way", path);
}
