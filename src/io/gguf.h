// io/gguf.h: named tensors and typed metadata in GGUF files
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian).
//
// Everything is checked on opening, before any tensor is handed out: counts and lengths against the bytes that are
// there, types, shapes, alignment, tensors within the file and apart from each other, names and keys given once.
#ifndef DIT_IO_GGUF_H
#define DIT_IO_GGUF_H

#include "base/tensor.h"
#include "io/safetensors.h"

typedef struct dit_gguf dit_gguf; // see dit_gguf_close

// Fails with DIT_NO_FILE, DIT_BAD_FILE, DIT_UNSUPPORTED (version 1, big-endian, an unknown tensor type) or
// DIT_NO_MEMORY. Mapped as io/mapped_file.h says.
dit_status dit_gguf_open(dit_gguf **file, const char *path, dit_error *error);
bool dit_is_gguf(const char *path);  // whether it is a file that starts as GGUF files do
void dit_gguf_close(dit_gguf *file); // may be NULL; ends every array and text that it handed out

const char *dit_gguf_path(const dit_gguf *file);
size_t dit_gguf_count(const dit_gguf *file);

// A tensor. Extents are outermost first, the reverse of the file's order.
typedef struct dit_gguf_entry {
    const char *name;
    const char *type_name; // "Q4_K", "IQ4_NL"
    dit_dtype dtype;       // DIT_DTYPES when nothing here reads it
    int rank;              // at most 4
    int64_t dim[4];
    uint64_t bytes;
    const void *data;
} dit_gguf_entry;

const dit_gguf_entry *dit_gguf_at(const dit_gguf *file, size_t index); // in the file's order
ptrdiff_t dit_gguf_find(const dit_gguf *file, const char *name);       // -1 when there is none

// A tensor to read from; its data belongs to the file. Fails with DIT_UNSUPPORTED when nothing here reads its type.
dit_status dit_gguf_array(const dit_gguf *file, size_t index, dit_array *array, dit_error *error);
// As dit_safetensors_release and dit_safetensors_prefetch; whether they do something.
void dit_gguf_release(const dit_gguf *file, const dit_array *array);
void dit_gguf_prefetch(const dit_gguf *file, const dit_array *array);
bool dit_gguf_is_mapped(const dit_gguf *file, const dit_array *array);

// The numbers are the file format's.
typedef enum dit_gguf_type {
    DIT_GGUF_U8,
    DIT_GGUF_I8,
    DIT_GGUF_U16,
    DIT_GGUF_I16,
    DIT_GGUF_U32,
    DIT_GGUF_I32,
    DIT_GGUF_F32,
    DIT_GGUF_BOOL,
    DIT_GGUF_TEXT,
    DIT_GGUF_LIST,
    DIT_GGUF_U64,
    DIT_GGUF_I64,
    DIT_GGUF_F64,
    DIT_GGUF_TYPES,
} dit_gguf_type;

// A metadata value: one item, or a list of items of one type (lists of lists are refused).
typedef struct dit_gguf_value {
    const char *key;
    dit_gguf_type type; // of the item or of the items
    bool list;
    uint64_t count;            // of items
    const unsigned char *data; // as in the file; read it with the functions below
    uint64_t bytes;
    const char *text; // of a single text; NULL otherwise
} dit_gguf_value;

size_t dit_gguf_metadata_count(const dit_gguf *file);
const dit_gguf_value *dit_gguf_metadata_at(const dit_gguf *file, size_t index);
const dit_gguf_value *dit_gguf_metadata(const dit_gguf *file, const char *key); // NULL when there is none

// Item `index` of a value. False when it is of another kind (a bool is an integer here) or does not fit an int64_t.
bool dit_gguf_integer(const dit_gguf_value *value, uint64_t index, int64_t *integer);
bool dit_gguf_number(const dit_gguf_value *value, uint64_t index, double *number); // integers too
// The next item of a list of texts; *cursor starts at 0. Not ended by a zero byte. False after the last one.
bool dit_gguf_next_text(const dit_gguf_value *value, uint64_t *cursor, const char **text, size_t *length);

// Metadata to write: a value of another file when `copied` is there, else a text when `text` is, else a list of `count`
// i32 when `list` is, else a u32.
typedef struct dit_gguf_field {
    const char *key;
    const dit_gguf_value *copied;
    const char *text;
    const int32_t *list;
    size_t count;
    uint32_t integer;
} dit_gguf_field;

// The type that stores `dtype`, as the file names it ("Q8_0", "F16"), or NULL: there is none for bool, u8 and f8.
const char *dit_gguf_type_name(dit_dtype dtype);

// Writes a file whole or not at all, tensors in the order given. A tensor of more than four axes is stored with its
// first axes merged, and its shape as the metadata `comfy.gguf.orig_shape.NAME`, as published files do. `produce` as in
// dit_safetensors_write. Fails with DIT_BAD_ARGUMENT (a name twice or empty), DIT_UNSUPPORTED (a dtype), DIT_NO_FILE,
// DIT_NO_MEMORY, or what `produce` failed with.
dit_status dit_gguf_write(const char *path, const dit_safetensors_item *items, size_t count,
                          const dit_gguf_field *metadata, size_t metadata_count, dit_safetensors_produce produce,
                          void *context, dit_error *error);

#endif
