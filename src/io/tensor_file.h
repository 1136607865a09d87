// io/tensor_file.h: named tensors in a file of any kind that weights come in: safetensors (a file, shards, a folder),
// GGUF, or files by torch.save (one, or shards). What a file is shows in its first bytes, not in its name.
#ifndef DIT_IO_TENSOR_FILE_H
#define DIT_IO_TENSOR_FILE_H

#include "base/tensor.h"
#include "base/text_pair.h"

typedef enum dit_file_kind { DIT_FILE_SAFETENSORS, DIT_FILE_GGUF, DIT_FILE_TORCH } dit_file_kind;

typedef struct dit_tensor_file dit_tensor_file; // see dit_tensor_file_close

// Opens a file, an index of shards, or a folder: dit_safetensors_open's, or one whose weights are
// diffusion_pytorch_model or model .gguf, diffusion_pytorch_model.bin or pytorch_model.bin, these two with .index.json
// and shards, or with .fp16 before their end when they are all there is. Everything is checked, as the reader of its
// kind says, before any tensor is handed out.
dit_status dit_tensor_file_open(dit_tensor_file **file, const char *path, dit_error *error);
// Whether a folder holds weights that dit_tensor_file_open would look for, sound or not.
bool dit_tensor_file_is_in(const char *folder);
// The weights of one variant in a folder, as diffusers and transformers name them: NAME.VARIANT.safetensors,
// NAME.safetensors.index.VARIANT.json, NAME.VARIANT.bin. False when there are none, or `found` is too small.
bool dit_tensor_file_variant(const char *folder, const char *variant, char *found, size_t size);
void dit_tensor_file_close(dit_tensor_file *file); // may be NULL; ends every array that it handed out

dit_file_kind dit_tensor_file_kind(const dit_tensor_file *file);
const char *dit_tensor_file_kind_name(const dit_tensor_file *file); // "safetensors", "GGUF", "PyTorch"
const char *dit_tensor_file_path(const dit_tensor_file *file);
size_t dit_tensor_file_count(const dit_tensor_file *file);

typedef struct dit_tensor_entry {
    const char *name;
    const char *dtype_name; // as in the file
    dit_dtype dtype;        // DIT_DTYPES when nothing here reads it
    int rank;               // may be above DIT_MAX_RANK
    int64_t dim[DIT_MAX_RANK];
    uint64_t bytes;
} dit_tensor_entry;

dit_tensor_entry dit_tensor_file_at(const dit_tensor_file *file, size_t index);
ptrdiff_t dit_tensor_file_find(const dit_tensor_file *file, const char *name); // -1 when there is none
// The file that holds a tensor, for errors.
const char *dit_tensor_file_of(const dit_tensor_file *file, size_t index);

// A tensor to read from, dense and aligned to its element size; its data belongs to the file. Several threads may call
// this. Fails with DIT_UNSUPPORTED (dtype or rank), DIT_BAD_FILE (a boolean that is neither 0 nor 1) or DIT_NO_MEMORY.
dit_status dit_tensor_file_array(dit_tensor_file *file, size_t index, dit_array *array, dit_error *error);

// Whether an array's memory may go and is read again when it is used; letting it go; reading ahead. `array` may be a
// part of one that was handed out. All do nothing for files held in memory.
bool dit_tensor_file_is_mapped(const dit_tensor_file *file, const dit_array *array);
void dit_tensor_file_release(const dit_tensor_file *file, const dit_array *array);
void dit_tensor_file_prefetch(const dit_tensor_file *file, const dit_array *array);

// Metadata that is text: of the `__metadata__` of safetensors, of GGUF (numbers and bools too, written out; lists as
// their length). NULL when the key is not there.
const char *dit_tensor_file_metadata(const dit_tensor_file *file, const char *key);
size_t dit_tensor_file_metadata_count(const dit_tensor_file *file);
dit_text_pair dit_tensor_file_metadata_at(const dit_tensor_file *file, size_t index);
// The same of a GGUF file, with its types; NULL for other kinds of files.
const struct dit_gguf_value *dit_tensor_file_value_at(const dit_tensor_file *file, size_t index);

#endif
