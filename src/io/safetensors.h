// io/safetensors.h: named tensors in safetensors files (https://github.com/huggingface/safetensors, README, "Format"):
// a file, several shards with an index, or a folder as diffusers and transformers save it.
//
// Everything is checked on opening, before any tensor is handed out: the header's length, known dtypes, shape x dtype =
// bytes, tensors side by side without overlap, hole or bytes left over, names given once, shards as the index lists
// them.
#ifndef DIT_IO_SAFETENSORS_H
#define DIT_IO_SAFETENSORS_H

#include "base/error.h"
#include "base/tensor.h"
#include "base/text_pair.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dit_safetensors dit_safetensors; // see dit_safetensors_close

// Opens
//   a file NAME.safetensors,
//   a set of shards by its NAME.safetensors.index.json, or
//   a folder with one of these: diffusion_pytorch_model.*, else model.*; a half-precision variant (model.fp16.*,
//   model.bf16.*) when it is all there is, or another variant (model.ema.*) when it is the only one.
// Files under 64 MiB are read into memory. Larger ones are mapped: another program that shortens a mapped file kills
// the reader (SIGBUS), so published weights are replaced by renaming, never rewritten in place. Fails with DIT_NO_FILE,
// DIT_BAD_FILE or DIT_NO_MEMORY.
dit_status dit_safetensors_open(dit_safetensors **set, const char *path, dit_error *error);
// Whether a folder has weights under one of the names above.
bool dit_safetensors_is_in(const char *folder);
void dit_safetensors_close(dit_safetensors *set); // may be NULL; ends every array that it handed out

// The path it was opened by, or that was found in the folder.
const char *dit_safetensors_path(const dit_safetensors *set);
size_t dit_safetensors_count(const dit_safetensors *set);

// What the header says of a tensor. Tensors are numbered in the order in which they lie in the files.
typedef struct dit_safetensors_entry {
    const char *name;
    const char *dtype_name;    // as in the file: "F32", "F8_E4M3"
    dit_dtype dtype;           // DIT_DTYPES when nothing here computes with it
    int rank;                  // may be above DIT_MAX_RANK
    int64_t dim[DIT_MAX_RANK]; // the first of them
    uint64_t bytes;
    uint64_t offset; // of its data in the file's data part
    int file;        // which shard
} dit_safetensors_entry;

const dit_safetensors_entry *dit_safetensors_at(const dit_safetensors *set, size_t index);
// The file that holds a tensor, for errors.
const char *dit_safetensors_file_of(const dit_safetensors *set, size_t index);
// The index of the tensor of that name, or -1.
ptrdiff_t dit_safetensors_find(const dit_safetensors *set, const char *name);

// A tensor to read from, aligned to its element size. The data belongs to the set and must not be written to: it is the
// file's own bytes, or, where these are not aligned, a copy kept until the set is closed. Several threads may call
// this. Fails with DIT_UNSUPPORTED (dtype or rank), DIT_BAD_FILE (a boolean that is neither 0 nor 1) or DIT_NO_MEMORY.
dit_status dit_safetensors_array(dit_safetensors *set, size_t index, dit_array *array, dit_error *error);
// The same by name; a name that is not there is DIT_BAD_FILE.
dit_status dit_safetensors_get(dit_safetensors *set, const char *name, dit_array *array, dit_error *error);

// Tells the system that an array handed out by this set is not needed for now (its memory may go; reading it again
// gives the same values), or that it will be soon (reading ahead starts). Both do nothing for files held in memory.
void dit_safetensors_release(const dit_safetensors *set, const dit_array *array);
void dit_safetensors_prefetch(const dit_safetensors *set, const dit_array *array);
// Whether they do something: the array lies in a mapped file.
bool dit_safetensors_is_mapped(const dit_safetensors *set, const dit_array *array);

// The `__metadata__` map, of the first file in a set of shards. NULL when the key is not there.
const char *dit_safetensors_metadata(const dit_safetensors *set, const char *key);
size_t dit_safetensors_metadata_count(const dit_safetensors *set);
dit_text_pair dit_safetensors_metadata_at(const dit_safetensors *set, size_t index);

// A tensor to write. With `data` NULL its bytes are asked for when their turn comes.
typedef struct dit_safetensors_item {
    const char *name;
    dit_dtype dtype;
    dit_shape shape;
    const void *data;
} dit_safetensors_item;

// Gives item `index`'s data, valid until the next call. A failure ends the writing.
typedef dit_status (*dit_safetensors_produce)(void *context, size_t index, const void **data, dit_error *error);

// Writes a file whole or not at all (see io/atomic_file.h), laid out as the reference library does: widest elements
// first, then by name. `produce` may be NULL when every item has data. Fails with DIT_BAD_ARGUMENT (a name twice,
// empty, reserved or not UTF-8), DIT_UNSUPPORTED (a block format), DIT_NO_FILE, DIT_NO_MEMORY (disk full too), or what
// `produce` failed with.
dit_status dit_safetensors_write(const char *path, const dit_safetensors_item *items, size_t count,
                                 const dit_text_pair *metadata, size_t metadata_count, dit_safetensors_produce produce,
                                 void *context, dit_error *error);

#endif
