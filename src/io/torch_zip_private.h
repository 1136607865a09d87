// io/torch_zip_private.h: the archive's directory and the pickle's values, for the files that read them.
#ifndef DIT_IO_TORCH_ZIP_PRIVATE_H
#define DIT_IO_TORCH_ZIP_PRIVATE_H

#include "base/arena.h"
#include "base/name_map.h"
#include "io/torch_zip.h"

// ---- torch_zip_directory.c: a zip archive of records that are stored as they are.

typedef struct dit_zip_record {
    const char *name;
    const unsigned char *data;
    uint64_t size;
    uint32_t crc;
} dit_zip_record;

typedef struct dit_zip {
    const char *path;
    const unsigned char *bytes; // borrowed: the whole file
    size_t size;
    dit_arena *arena; // borrowed: holds the names
    dit_zip_record *records;
    size_t count;
    dit_name_map names;
} dit_zip;

// Fills `records` from the central directory of `bytes`. Compressed or encrypted records are refused.
dit_status dit_zip_read(dit_zip *zip, dit_error *error);
void dit_zip_free(dit_zip *zip);
const dit_zip_record *dit_zip_find(const dit_zip *zip, const char *name); // NULL when there is none

// ---- torch_zip_pickle.c: what the pickle says.

typedef enum dit_pickle_kind {
    DIT_PICKLE_NONE,
    DIT_PICKLE_MARK, // on the stack only
    DIT_PICKLE_BOOL,
    DIT_PICKLE_INTEGER,
    DIT_PICKLE_NUMBER,
    DIT_PICKLE_TEXT, // bytes too
    DIT_PICKLE_TUPLE,
    DIT_PICKLE_LIST,
    DIT_PICKLE_DICT, // items: key, value, key, value, ...
    DIT_PICKLE_GLOBAL,
    DIT_PICKLE_STORAGE,
    DIT_PICKLE_TENSOR,
} dit_pickle_kind;

// Names that a pickle may use.
typedef enum dit_pickle_global {
    DIT_GLOBAL_ORDERED_DICT,
    DIT_GLOBAL_NAMESPACE, // the options of a training script, beside its weights; an empty dict here
    DIT_GLOBAL_REBUILD_TENSOR,
    DIT_GLOBAL_REBUILD_TENSOR_3,
    DIT_GLOBAL_REBUILD_PARAMETER,
    DIT_GLOBAL_SIZE,
    DIT_GLOBAL_STORAGE, // of a dtype
    DIT_GLOBAL_UNTYPED_STORAGE,
    DIT_GLOBAL_DTYPE,
} dit_pickle_global;

// An element type of torch.
struct dit_torch_dtype {
    const char *name, *storage; // "float32", "FloatStorage"
    int bytes;
    dit_dtype dtype; // DIT_DTYPES when nothing here reads it
};

struct dit_pickle_layout {
    dit_shape shape;
    int64_t stride[DIT_MAX_RANK]; // in elements
};

// Small, since a pickle of two bytes a value should not take a hundred times its size.
typedef struct dit_pickle_value dit_pickle_value;
struct dit_pickle_value {
    unsigned char kind;                  // dit_pickle_kind
    unsigned char global;                // dit_pickle_global
    bool visited;                        // by the walk that lists tensors
    const struct dit_torch_dtype *dtype; // of a global, a storage or a tensor; NULL for an untyped storage
    union {
        int64_t integer; // of an integer or bool; elements (untyped: bytes) of a storage; offset of a tensor
        double number;
    };
    union {
        const char *text;                // ends with a zero byte; the record's key of a storage
        const dit_pickle_value *storage; // of a tensor
    };
    union {
        dit_pickle_value **items;               // of a tuple, list or dict
        const struct dit_pickle_layout *layout; // of a tensor
    };
    size_t count, capacity; // of items
};

// Reads a pickle of protocol 2 to 5 into values of the arena. `path` is for messages.
dit_status dit_pickle_read(dit_arena *arena, const char *path, const unsigned char *bytes, size_t size,
                           dit_pickle_value **root, dit_error *error);

// ---- torch_zip_rebuild.c: the objects that a pickle may make.

// The name `module`.`name`, or NULL when a pickle may not use it (and then nothing is recorded).
const dit_pickle_value *dit_pickle_find_global(const char *module, const char *name);
// What a persistent id, ("storage", class, key, place, elements), stands for: fills `storage`.
dit_status dit_pickle_make_storage(const dit_pickle_value *id, dit_pickle_value *storage, const char *path,
                                   dit_error *error);
// What calling a global with a tuple of arguments gives: fills `result`.
dit_status dit_pickle_call(dit_arena *arena, const dit_pickle_value *global, const dit_pickle_value *arguments,
                           dit_pickle_value *result, const char *path, dit_error *error);

#endif
