// io/torch_set.h: the tensors of one file by torch.save, or of a set of them with an index, as transformers and
// diffusers split large models (pytorch_model.bin.index.json). What the functions do is what those of torch_zip.h do.
#ifndef DIT_IO_TORCH_SET_H
#define DIT_IO_TORCH_SET_H

#include "io/torch_zip.h"

typedef struct dit_torch_set dit_torch_set; // see dit_torch_set_close

// Whether the name is that of an index: "x.bin.index.json", "x.bin.index.fp16.json".
bool dit_is_torch_index(const char *path);

// Opens an index and its files, which lie beside it, or one file. Fails as dit_torch_zip_open does, and with
// DIT_BAD_FILE where index and files disagree about a tensor.
dit_status dit_torch_set_open(dit_torch_set **set, const char *path, dit_error *error);
void dit_torch_set_close(dit_torch_set *set); // may be NULL; ends every array that it handed out

const char *dit_torch_set_path(const dit_torch_set *set);
const char *dit_torch_set_file_of(const dit_torch_set *set, size_t index); // the one that holds tensor `index`
size_t dit_torch_set_count(const dit_torch_set *set);
const dit_torch_entry *dit_torch_set_at(const dit_torch_set *set, size_t index);
ptrdiff_t dit_torch_set_find(const dit_torch_set *set, const char *name);
dit_status dit_torch_set_array(dit_torch_set *set, size_t index, dit_array *array, dit_error *error);
void dit_torch_set_release(const dit_torch_set *set, const dit_array *array);
void dit_torch_set_prefetch(const dit_torch_set *set, const dit_array *array);
bool dit_torch_set_is_mapped(const dit_torch_set *set, const dit_array *array);

#endif
