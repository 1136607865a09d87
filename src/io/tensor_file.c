// io/tensor_file.c: one face for the readers of weights.
#include "io/tensor_file.h"
#include "base/arena.h"
#include "io/file.h"
#include "io/gguf.h"
#include "io/safetensors.h"
#include "io/torch_set.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct dit_tensor_file {
    dit_file_kind kind;
    dit_safetensors *safetensors; // the one of `kind` is there
    dit_gguf *gguf;
    dit_torch_set *torch;
    dit_arena *arena; // of a GGUF file's metadata as text
    dit_text_pair *metadata;
};

static bool is_folder(const char *path)
{
    struct stat info;
    return !stat(path, &info) && S_ISDIR(info.st_mode);
}

// The weights of a folder that holds no safetensors, in `found`.
static bool find_other_weights(const char *folder, char *found, size_t size)
{
    static const char *const names[] = {"diffusion_pytorch_model.gguf",
                                        "model.gguf",
                                        "diffusion_pytorch_model.bin",
                                        "pytorch_model.bin",
                                        "diffusion_pytorch_model.bin.index.json",
                                        "pytorch_model.bin.index.json"};
    static const char *const preferred[] = {"diffusion_pytorch_model.safetensors",
                                            "diffusion_pytorch_model.safetensors.index.json", "model.safetensors",
                                            "model.safetensors.index.json"};
    for (size_t i = 0; i < sizeof preferred / sizeof *preferred; i++)
        if ((size_t)snprintf(found, size, "%s/%s", folder, preferred[i]) < size && !access(found, F_OK))
            return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((size_t)snprintf(found, size, "%s/%s", folder, names[i]) < size && !access(found, F_OK))
            return true;
    return false;
}

bool dit_tensor_file_variant(const char *folder, const char *variant, char *found, size_t size)
{
    static const char *const forms[] = {
        "diffusion_pytorch_model.safetensors.index.%s.json",
        "diffusion_pytorch_model.%s.safetensors",
        "model.%s.safetensors",
        "model.safetensors.index.%s.json",
        "diffusion_pytorch_model.%s.bin",
        "pytorch_model.%s.bin",
        "diffusion_pytorch_model.bin.index.%s.json",
        "pytorch_model.bin.index.%s.json",
    };
    char name[300];
    if (strchr(variant, '/'))
        return false;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const char *at = strstr(forms[i], "%s");
        if ((size_t)snprintf(name, sizeof name, "%.*s%s%s", (int)(at - forms[i]), forms[i], variant, at + 2) <
                sizeof name &&
            (size_t)snprintf(found, size, "%s/%s", folder, name) < size && !access(found, F_OK))
            return true;
    }
    return false;
}

// Pickled weights of half precision, where the folder has no others.
static bool find_half_pickle(const char *folder, char *found, size_t size)
{
    const char *end;
    return !dit_safetensors_is_in(folder) && dit_tensor_file_variant(folder, "fp16", found, size) &&
           (end = strrchr(found, '.')) && (!strcmp(end, ".bin") || dit_is_torch_index(found));
}

bool dit_tensor_file_is_in(const char *folder)
{
    char found[4096];
    return dit_safetensors_is_in(folder) || find_other_weights(folder, found, sizeof found) ||
           find_half_pickle(folder, found, sizeof found);
}

// What the file starts as.
static dit_status sniff(const char *path, dit_file_kind *kind, dit_error *error)
{
    int fd;
    uint64_t size;
    char start[4] = "";
    if (dit_file_open(path, &fd, &size, error))
        return error->status;
    dit_status status = size < sizeof start ? DIT_OK : dit_file_read_at(fd, path, start, sizeof start, 0, error);
    close(fd);
    *kind = !memcmp(start, "GGUF", 4)                                          ? DIT_FILE_GGUF
            : !memcmp(start, "PK\3\4", 4) || !memcmp(start, "\x80\2\x8a\n", 4) ? DIT_FILE_TORCH
            : dit_is_torch_index(path)                                         ? DIT_FILE_TORCH
                                                                               : DIT_FILE_SAFETENSORS;
    return status;
}

// "3", "0.5", "true", the text itself, or "[3 items]".
static const char *value_text(dit_arena *arena, const dit_gguf_value *v)
{
    int64_t integer;
    double number;
    if (v->text)
        return v->text;
    if (v->list)
        return dit_arena_printf(arena, "[%llu items]", (unsigned long long)v->count);
    if (v->type == DIT_GGUF_BOOL)
        return dit_gguf_integer(v, 0, &integer) && integer ? "true" : "false";
    if (dit_gguf_integer(v, 0, &integer))
        return dit_arena_printf(arena, "%lld", (long long)integer);
    return dit_gguf_number(v, 0, &number) ? dit_arena_printf(arena, "%.9g", number)
                                          : dit_arena_printf(arena, "more than 2^63");
}

static dit_status write_out_metadata(dit_tensor_file *f, dit_error *error)
{
    size_t count = dit_gguf_metadata_count(f->gguf);
    f->arena = dit_arena_new();
    f->metadata = calloc(count + 1, sizeof *f->metadata);
    bool full = !f->arena || !f->metadata;
    for (size_t i = 0; i < count && !full; i++) {
        const dit_gguf_value *v = dit_gguf_metadata_at(f->gguf, i);
        f->metadata[i] = (dit_text_pair){v->key, value_text(f->arena, v)};
        full = !f->metadata[i].value;
    }
    return full ? dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its metadata", dit_gguf_path(f->gguf)) : DIT_OK;
}

dit_status dit_tensor_file_open(dit_tensor_file **out, const char *path, dit_error *error)
{
    char found[4096];
    dit_error own = {0};
    dit_tensor_file *f = calloc(1, sizeof *f);
    if (!f)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", path);
    bool folder = is_folder(path);
    if (folder && (find_other_weights(path, found, sizeof found) || find_half_pickle(path, found, sizeof found))) {
        path = found;
        folder = false;
    }
    if (folder || !sniff(path, &f->kind, &own)) {
        if (f->kind == DIT_FILE_SAFETENSORS)
            dit_safetensors_open(&f->safetensors, path, &own);
        else if (f->kind == DIT_FILE_TORCH)
            dit_torch_set_open(&f->torch, path, &own);
        else if (!dit_gguf_open(&f->gguf, path, &own))
            write_out_metadata(f, &own);
    }
    if (own.status) {
        dit_tensor_file_close(f);
        return dit_fail(error, own.status, "%s", own.message);
    }
    *out = f;
    return DIT_OK;
}

void dit_tensor_file_close(dit_tensor_file *f)
{
    if (!f)
        return;
    dit_safetensors_close(f->safetensors);
    dit_gguf_close(f->gguf);
    dit_torch_set_close(f->torch);
    free(f->metadata);
    dit_arena_free(f->arena);
    free(f);
}

dit_file_kind dit_tensor_file_kind(const dit_tensor_file *f)
{
    return f->kind;
}

const char *dit_tensor_file_kind_name(const dit_tensor_file *f)
{
    static const char *const names[] = {"safetensors", "GGUF", "PyTorch"};
    return names[f->kind];
}

const char *dit_tensor_file_path(const dit_tensor_file *f)
{
    return f->gguf    ? dit_gguf_path(f->gguf)
           : f->torch ? dit_torch_set_path(f->torch)
                      : dit_safetensors_path(f->safetensors);
}

size_t dit_tensor_file_count(const dit_tensor_file *f)
{
    return f->gguf    ? dit_gguf_count(f->gguf)
           : f->torch ? dit_torch_set_count(f->torch)
                      : dit_safetensors_count(f->safetensors);
}

// The shape that a GGUF tensor had before it was stored with other axes: `comfy.gguf.orig_shape.NAME`. Rows of a block
// format keep their length.
static void restore_shape(const dit_gguf *gguf, dit_tensor_entry *e)
{
    char key[1200];
    int64_t dim[DIT_MAX_RANK], count = 1, stored = 1;
    if ((size_t)snprintf(key, sizeof key, "comfy.gguf.orig_shape.%s", e->name) >= sizeof key)
        return;
    const dit_gguf_value *v = dit_gguf_metadata(gguf, key);
    if (!v || !v->list || v->count < 1 || v->count > DIT_MAX_RANK)
        return;
    int rank = (int)v->count;
    for (int i = 0; i < e->rank; i++)
        stored *= e->dim[i];
    for (int i = 0; i < rank; i++)
        if (!dit_gguf_integer(v, (uint64_t)i, &dim[i]) || dim[i] < 1 || __builtin_mul_overflow(count, dim[i], &count))
            return;
    bool rows = e->dtype != DIT_DTYPES && (dit_dtype_block(e->dtype) == 1 || dim[rank - 1] == e->dim[e->rank - 1]);
    if (count != stored || !rows)
        return;
    e->rank = rank;
    memcpy(e->dim, dim, sizeof dim);
}

dit_tensor_entry dit_tensor_file_at(const dit_tensor_file *f, size_t i)
{
    dit_tensor_entry e = {0};
    if (f->gguf) {
        const dit_gguf_entry *from = dit_gguf_at(f->gguf, i);
        e = (dit_tensor_entry){.name = from->name,
                               .dtype_name = from->type_name,
                               .dtype = from->dtype,
                               .rank = from->rank,
                               .bytes = from->bytes};
        memcpy(e.dim, from->dim, sizeof from->dim);
        restore_shape(f->gguf, &e);
    } else if (f->torch) {
        const dit_torch_entry *from = dit_torch_set_at(f->torch, i);
        e = (dit_tensor_entry){.name = from->name,
                               .dtype_name = from->dtype_name,
                               .dtype = from->dtype,
                               .rank = from->shape.rank,
                               .bytes = from->bytes};
        memcpy(e.dim, from->shape.dim, sizeof e.dim);
    } else {
        const dit_safetensors_entry *from = dit_safetensors_at(f->safetensors, i);
        e = (dit_tensor_entry){.name = from->name,
                               .dtype_name = from->dtype_name,
                               .dtype = from->dtype,
                               .rank = from->rank,
                               .bytes = from->bytes};
        memcpy(e.dim, from->dim, sizeof e.dim);
    }
    return e;
}

ptrdiff_t dit_tensor_file_find(const dit_tensor_file *f, const char *name)
{
    return f->gguf    ? dit_gguf_find(f->gguf, name)
           : f->torch ? dit_torch_set_find(f->torch, name)
                      : dit_safetensors_find(f->safetensors, name);
}

const char *dit_tensor_file_of(const dit_tensor_file *f, size_t i)
{
    return f->safetensors ? dit_safetensors_file_of(f->safetensors, i)
           : f->torch     ? dit_torch_set_file_of(f->torch, i)
                          : dit_tensor_file_path(f);
}

dit_status dit_tensor_file_array(dit_tensor_file *f, size_t i, dit_array *array, dit_error *error)
{
    if (f->torch)
        return dit_torch_set_array(f->torch, i, array, error);
    if (f->safetensors)
        return dit_safetensors_array(f->safetensors, i, array, error);
    dit_status status = dit_gguf_array(f->gguf, i, array, error);
    if (!status) {
        dit_tensor_entry e = dit_tensor_file_at(f, i);
        array->shape.rank = e.rank;
        memcpy(array->shape.dim, e.dim, sizeof e.dim);
    }
    return status;
}

bool dit_tensor_file_is_mapped(const dit_tensor_file *f, const dit_array *array)
{
    return f->gguf    ? dit_gguf_is_mapped(f->gguf, array)
           : f->torch ? dit_torch_set_is_mapped(f->torch, array)
                      : dit_safetensors_is_mapped(f->safetensors, array);
}

void dit_tensor_file_release(const dit_tensor_file *f, const dit_array *array)
{
    if (f->gguf)
        dit_gguf_release(f->gguf, array);
    else if (f->torch)
        dit_torch_set_release(f->torch, array);
    else
        dit_safetensors_release(f->safetensors, array);
}

void dit_tensor_file_prefetch(const dit_tensor_file *f, const dit_array *array)
{
    if (f->gguf)
        dit_gguf_prefetch(f->gguf, array);
    else if (f->torch)
        dit_torch_set_prefetch(f->torch, array);
    else
        dit_safetensors_prefetch(f->safetensors, array);
}

const char *dit_tensor_file_metadata(const dit_tensor_file *f, const char *key)
{
    if (f->safetensors)
        return dit_safetensors_metadata(f->safetensors, key);
    for (size_t i = 0; f->gguf && i < dit_gguf_metadata_count(f->gguf); i++)
        if (!strcmp(f->metadata[i].key, key))
            return f->metadata[i].value;
    return NULL;
}

size_t dit_tensor_file_metadata_count(const dit_tensor_file *f)
{
    return f->safetensors ? dit_safetensors_metadata_count(f->safetensors)
           : f->gguf      ? dit_gguf_metadata_count(f->gguf)
                          : 0;
}

const dit_gguf_value *dit_tensor_file_value_at(const dit_tensor_file *f, size_t i)
{
    return f->gguf ? dit_gguf_metadata_at(f->gguf, i) : NULL;
}

dit_text_pair dit_tensor_file_metadata_at(const dit_tensor_file *f, size_t i)
{
    return f->safetensors ? dit_safetensors_metadata_at(f->safetensors, i) : f->metadata[i];
}
