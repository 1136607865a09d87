// io/safetensors.c: open sets of tensors: files in memory or mapped, names, views.
#include "io/safetensors.h"
#include "io/file.h"
#include "io/safetensors_private.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    LONGEST_HEADER = 100000000, // the reference library's bound
    // Up to here a file is copied: it cannot be cut short under the reader, its data is aligned to 64 bytes whatever
    // the header's length, and the copy costs less than opening a model of that size does anyway.
    LARGEST_COPY = 64 << 20,
};

static uint64_t little_endian_64(const unsigned char *b)
{
    uint64_t x = 0;
    for (int i = 7; i >= 0; i--)
        x = x << 8 | b[i];
    return x;
}

static dit_status read_header_size(int fd, const char *path, uint64_t file_size, uint64_t *header_size,
                                   dit_error *error)
{
    unsigned char start[8];
    if (file_size < sizeof start)
        return dit_fail(error, DIT_BAD_FILE, "%s: has %llu bytes, too few for a safetensors file", path,
                        (unsigned long long)file_size);
    dit_status status = dit_file_read_at(fd, path, start, sizeof start, 0, error);
    if (status)
        return status;
    if (!memcmp(start, "version ", 8))
        return dit_fail(error, DIT_BAD_FILE, "%s: is a Git LFS pointer, not the file itself; run `git lfs pull`", path);
    *header_size = little_endian_64(start);
    if (*header_size > file_size - 8)
        return dit_fail(error, DIT_BAD_FILE,
                        "%s: claims a header of %llu bytes, but the file has only %llu; it is cut "
                        "short or no safetensors file",
                        path, (unsigned long long)*header_size, (unsigned long long)file_size);
    if (*header_size > LONGEST_HEADER)
        return dit_fail(error, DIT_BAD_FILE, "%s: claims a header of %llu bytes; the format allows %d", path,
                        (unsigned long long)*header_size, LONGEST_HEADER);
    return DIT_OK;
}

static dit_status hold_data(struct dit_safetensors_file *file, int fd, uint64_t file_size, dit_error *error)
{
    uint64_t start = file_size - file->data_size;
    if (file_size < LARGEST_COPY) {
        file->data = aligned_alloc(64, ((size_t)file->data_size + 64) & ~(size_t)63);
        if (!file->data)
            return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its %llu bytes", file->path,
                            (unsigned long long)file_size);
        return dit_file_read_at(fd, file->path, file->data, (size_t)file->data_size, start, error);
    }
    if (file_size > SIZE_MAX)
        return dit_fail(error, DIT_NO_MEMORY, "%s: is larger than the address space", file->path);
    void *map = mmap(NULL, (size_t)file_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return dit_fail_errno(error, errno, "%s: cannot map it into memory", file->path);
    file->map = map;
    file->map_size = (size_t)file_size;
    file->data = (unsigned char *)map + start;
    return DIT_OK;
}

dit_status dit_safetensors_add_file(dit_safetensors *set, const char *path, dit_error *error)
{
    int fd;
    uint64_t size, header_size = 0;
    dit_status status = dit_file_open(path, &fd, &size, error);
    if (status)
        return status;
    char *header = NULL;
    struct dit_safetensors_file *file = NULL;
    status = read_header_size(fd, path, size, &header_size, error);
    if (!status) {
        header = malloc((size_t)header_size + 1);
        if (!header || !dit_grow(&set->files, &set->file_capacity, set->file_count + 1, sizeof *set->files))
            status = dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its header", path);
    }
    if (!status) {
        file = &set->files[set->file_count++];
        *file = (struct dit_safetensors_file){.path = dit_arena_copy_text(set->arena, path),
                                              .data_size = size - 8 - header_size};
        status = file->path ? dit_file_read_at(fd, path, header, (size_t)header_size, 8, error)
                            : dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its name", path);
    }
    if (!status)
        status = dit_safetensors_parse_header(set, (int)set->file_count - 1, header, (size_t)header_size, error);
    if (!status)
        status = hold_data(file, fd, size, error);
    free(header);
    close(fd);
    return status;
}

// qsort has no context argument; names are sorted through pairs.
struct named {
    const char *name;
    size_t index;
};

static int compare_named(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    return strcmp(x->name, y->name);
}

dit_status dit_safetensors_index_names(dit_safetensors *set, dit_error *error)
{
    struct named *names = malloc((set->count + 1) * sizeof *names);
    set->by_name = malloc((set->count + 1) * sizeof *set->by_name);
    set->copies = calloc(set->count + 1, sizeof *set->copies);
    dit_status status = DIT_OK;
    if (!names || !set->by_name || !set->copies) {
        status = dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its %zu names", set->path, set->count);
        goto done;
    }
    for (size_t i = 0; i < set->count; i++)
        names[i] = (struct named){set->entries[i].name, i};
    qsort(names, set->count, sizeof *names, compare_named);
    for (size_t i = 0; i < set->count; i++)
        set->by_name[i] = names[i].index;
    for (size_t i = 1; i < set->count; i++) {
        if (strcmp(names[i - 1].name, names[i].name))
            continue;
        const char *one = dit_safetensors_file_of(set, names[i - 1].index);
        const char *other = dit_safetensors_file_of(set, names[i].index);
        status = one == other
                     ? dit_fail(error, DIT_BAD_FILE, "%s: tensor \"%.80s\" is there twice", one, names[i].name)
                     : dit_fail(error, DIT_BAD_FILE, "%s: tensor \"%.80s\" is also in %s", one, names[i].name, other);
        break;
    }
done:
    free(names);
    return status;
}

dit_status dit_safetensors_open(dit_safetensors **out, const char *path, dit_error *error)
{
    dit_safetensors *set = calloc(1, sizeof *set);
    if (!set)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", path);
    pthread_mutex_init(&set->lock, NULL);
    set->arena = dit_arena_new();
    dit_status status = set->arena ? dit_safetensors_locate(set->arena, path, &set->path, error)
                                   : dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", path);
    if (!status) {
        size_t length = strlen(set->path);
        bool index = length > 5 && !strcmp(set->path + length - 5, ".json");
        status =
            index ? dit_safetensors_add_shards(set, set->path, error) : dit_safetensors_add_file(set, set->path, error);
        if (!status && !index)
            status = dit_safetensors_index_names(set, error);
    }
    if (status)
        dit_safetensors_close(set);
    else
        *out = set;
    return status;
}

void dit_safetensors_close(dit_safetensors *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->file_count; i++) {
        if (set->files[i].map)
            munmap(set->files[i].map, set->files[i].map_size);
        else
            free(set->files[i].data);
    }
    for (size_t i = 0; set->copies && i < set->count; i++)
        free(set->copies[i]);
    free(set->files);
    free(set->entries);
    free(set->by_name);
    free(set->metadata);
    free(set->copies);
    pthread_mutex_destroy(&set->lock);
    dit_arena_free(set->arena);
    free(set);
}

const char *dit_safetensors_path(const dit_safetensors *set)
{
    return set->path;
}

size_t dit_safetensors_count(const dit_safetensors *set)
{
    return set->count;
}

const dit_safetensors_entry *dit_safetensors_at(const dit_safetensors *set, size_t index)
{
    return &set->entries[index];
}

const char *dit_safetensors_file_of(const dit_safetensors *set, size_t index)
{
    return set->files[set->entries[index].file].path;
}

ptrdiff_t dit_safetensors_find(const dit_safetensors *set, const char *name)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, set->entries[set->by_name[middle]].name);
        if (order == 0)
            return (ptrdiff_t)set->by_name[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

// The tensor's data at an address that suits its dtype.
static dit_status aligned_data(dit_safetensors *set, size_t index, void **data, dit_error *error)
{
    const dit_safetensors_entry *e = &set->entries[index];
    unsigned char *stored = set->files[e->file].data + e->offset;
    *data = stored;
    if ((uintptr_t)stored % dit_dtype_size(e->dtype) == 0)
        return DIT_OK;
    dit_status status = DIT_OK;
    pthread_mutex_lock(&set->lock);
    if (!set->copies[index]) {
        void *copy = aligned_alloc(64, ((size_t)e->bytes + 64) & ~(size_t)63);
        if (copy)
            set->copies[index] = memcpy(copy, stored, (size_t)e->bytes);
        else
            status = dit_fail(error, DIT_NO_MEMORY, "%s: no memory for the %llu bytes of tensor \"%.80s\"",
                              dit_safetensors_file_of(set, index), (unsigned long long)e->bytes, e->name);
    }
    *data = set->copies[index];
    pthread_mutex_unlock(&set->lock);
    return status;
}

dit_status dit_safetensors_array(dit_safetensors *set, size_t index, dit_array *array, dit_error *error)
{
    const dit_safetensors_entry *e = &set->entries[index];
    const char *path = dit_safetensors_file_of(set, index);
    if (e->dtype == DIT_DTYPES)
        return dit_fail(error, DIT_UNSUPPORTED, "%s: tensor \"%.80s\" has dtype %s, which is not supported", path,
                        e->name, e->dtype_name);
    if (e->rank > DIT_MAX_RANK)
        return dit_fail(error, DIT_UNSUPPORTED, "%s: tensor \"%.80s\" has %d dimensions; at most %d are supported",
                        path, e->name, e->rank, DIT_MAX_RANK);
    *array = (dit_array){.dtype = e->dtype, .shape = {.rank = e->rank}};
    memcpy(array->shape.dim, e->dim, sizeof array->shape.dim);
    dit_status status = aligned_data(set, index, &array->data, error);
    if (status || e->dtype != DIT_BOOL)
        return status;
    const unsigned char *values = array->data;
    for (uint64_t i = 0; i < e->bytes; i++)
        if (values[i] > 1)
            return dit_fail(error, DIT_BAD_FILE, "%s: tensor \"%.80s\" is BOOL, but holds the byte %d", path, e->name,
                            values[i]);
    return DIT_OK;
}

dit_status dit_safetensors_get(dit_safetensors *set, const char *name, dit_array *array, dit_error *error)
{
    ptrdiff_t index = dit_safetensors_find(set, name);
    if (index < 0)
        return dit_fail(error, DIT_BAD_FILE, "%s: holds no tensor \"%.80s\"", set->path, name);
    return dit_safetensors_array(set, (size_t)index, array, error);
}

// The pages of a mapped file that hold an array, as an address and a length; false for an array in memory.
static bool pages_of(const dit_safetensors *set, const dit_array *array, uintptr_t *first, size_t *bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)array->data;
    for (size_t i = 0; i < set->file_count; i++) {
        uintptr_t map = (uintptr_t)set->files[i].map, end = map + set->files[i].map_size;
        if (!map || start < map || start >= end)
            continue;
        uintptr_t last = start + dit_array_bytes(array);
        *first = start & ~(page - 1);
        *bytes = (last < end ? last : end) - *first;
        return true;
    }
    return false;
}

bool dit_safetensors_is_mapped(const dit_safetensors *set, const dit_array *array)
{
    uintptr_t first;
    size_t bytes;
    return pages_of(set, array, &first, &bytes);
}

void dit_safetensors_release(const dit_safetensors *set, const dit_array *array)
{
    uintptr_t first;
    size_t bytes;
    if (pages_of(set, array, &first, &bytes))
        madvise((void *)first, bytes, MADV_DONTNEED);
}

void dit_safetensors_prefetch(const dit_safetensors *set, const dit_array *array)
{
    // Of one piece of advice Linux reads no more than the device's largest transfer or the read-ahead window, whichever
    // is larger; the window is 128 KiB unless someone set it.
    enum { PIECE = 128 << 10 };
    uintptr_t first;
    size_t bytes;
    if (!pages_of(set, array, &first, &bytes))
        return;
    for (size_t at = 0; at < bytes; at += PIECE)
        madvise((void *)(first + at), bytes - at < PIECE ? bytes - at : PIECE, MADV_WILLNEED);
}

const char *dit_safetensors_metadata(const dit_safetensors *set, const char *key)
{
    for (size_t i = 0; i < set->metadata_count; i++)
        if (!strcmp(set->metadata[i].key, key))
            return set->metadata[i].value;
    return NULL;
}

size_t dit_safetensors_metadata_count(const dit_safetensors *set)
{
    return set->metadata_count;
}

dit_text_pair dit_safetensors_metadata_at(const dit_safetensors *set, size_t index)
{
    return set->metadata[index];
}
