// io/safetensors_private.h: what an open set is, for the files that open, read and search it.
#ifndef DIT_IO_SAFETENSORS_PRIVATE_H
#define DIT_IO_SAFETENSORS_PRIVATE_H

#include "base/arena.h"
#include "io/safetensors.h"
#include <pthread.h>

struct dit_safetensors_file {
    const char *path;
    unsigned char *data; // the data part
    uint64_t data_size;
    void *map; // NULL when `data` was malloc'd
    size_t map_size;
};

struct dit_safetensors {
    dit_arena *arena; // names, texts
    const char *path;
    struct dit_safetensors_file *files;
    size_t file_count, file_capacity;
    dit_safetensors_entry *entries;
    size_t count, capacity;
    size_t *by_name; // [count] indices into entries, in the order of their names
    dit_text_pair *metadata;
    size_t metadata_count, metadata_capacity;
    void **copies; // [count] aligned copies made so far
    pthread_mutex_t lock;
};

// A dtype of the format. Names and widths: the reference library's enumeration, in its order (alignment goes up).
struct dit_safetensors_dtype {
    const char *name;
    int bits;
    dit_dtype dtype; // DIT_DTYPES when nothing here computes with it
};
// NULL when the format has no such dtype.
const struct dit_safetensors_dtype *dit_safetensors_dtype_named(const char *name);
// The file's name of a dtype, and its place in the order of writing.
const char *dit_safetensors_dtype_name(dit_dtype dtype, int *order);

// Reads a file's header (`header`, `size` bytes) into entries that point to file number `file`, sorted by offset, and
// checks that they cover `data_size` bytes exactly. The set's metadata is filled by file 0.
dit_status dit_safetensors_parse_header(dit_safetensors *set, int file, const char *header, size_t size,
                                        dit_error *error);

// Adds one file to the set.
dit_status dit_safetensors_add_file(dit_safetensors *set, const char *path, dit_error *error);

// Sorts the names, and refuses one that occurs twice.
dit_status dit_safetensors_index_names(dit_safetensors *set, dit_error *error);

// What `path` names: itself, or what is found in the folder that it is. The answer is in the arena.
dit_status dit_safetensors_locate(dit_arena *arena, const char *path, const char **found, dit_error *error);

// Adds the shards that an index lists, and checks them against it.
dit_status dit_safetensors_add_shards(dit_safetensors *set, const char *index_path, dit_error *error);

#endif
