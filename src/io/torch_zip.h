// io/torch_zip.h: the tensors in a file by torch.save: `.pt`, `.pth`, `.bin`, `.ckpt`, a zip archive of stored records
// with a pickle that says what they are (https://pytorch.org/docs/stable/notes/serialization.html).
//
// Nothing is executed. The pickle may hold tensors, parameters, dicts, lists, tuples, numbers and texts; a file that
// names anything else is refused, with that name. Everything is checked on opening: the archive's directory, the
// records, and that every tensor lies within its storage.
#ifndef DIT_IO_TORCH_ZIP_H
#define DIT_IO_TORCH_ZIP_H

#include "base/tensor.h"

typedef struct dit_torch_zip dit_torch_zip; // see dit_torch_zip_close

// Fails with DIT_NO_FILE, DIT_BAD_FILE, DIT_UNSUPPORTED (an object that is no tensor; the format before PyTorch 1.6) or
// DIT_NO_MEMORY. Mapped as io/mapped_file.h says.
dit_status dit_torch_zip_open(dit_torch_zip **file, const char *path, dit_error *error);
void dit_torch_zip_close(dit_torch_zip *file); // may be NULL; ends every array that it handed out

const char *dit_torch_zip_path(const dit_torch_zip *file);
size_t dit_torch_zip_count(const dit_torch_zip *file);

// A tensor. Its name is the keys that lead to it, dotted: `torch.save({"ema": {"x.weight": t}})` holds "ema.x.weight".
// A file that is one tensor holds "tensor".
typedef struct dit_torch_entry {
    const char *name;
    const char *dtype_name; // as torch has it: "float32"
    dit_dtype dtype;        // DIT_DTYPES when nothing here reads it
    dit_shape shape;
    int64_t stride[DIT_MAX_RANK]; // in elements
    uint64_t bytes;               // of all elements
    const unsigned char *data;    // its first element in the file
    bool contiguous;
} dit_torch_entry;

const dit_torch_entry *dit_torch_zip_at(const dit_torch_zip *file, size_t index); // in the pickle's order
ptrdiff_t dit_torch_zip_find(const dit_torch_zip *file, const char *name);        // -1 when there is none

// A tensor to read from. The data belongs to the file: its own bytes, or, where these have strides or are not aligned,
// a dense copy kept until the file is closed. Several threads may call this. Fails with DIT_UNSUPPORTED (a dtype),
// DIT_BAD_FILE (a boolean that is neither 0 nor 1) or DIT_NO_MEMORY.
dit_status dit_torch_zip_array(dit_torch_zip *file, size_t index, dit_array *array, dit_error *error);
// As dit_safetensors_release and dit_safetensors_prefetch; whether they do something.
void dit_torch_zip_release(const dit_torch_zip *file, const dit_array *array);
void dit_torch_zip_prefetch(const dit_torch_zip *file, const dit_array *array);
bool dit_torch_zip_is_mapped(const dit_torch_zip *file, const dit_array *array);

#endif
