// train/dataset_idx.c: the IDX format of the MNIST database (LeCun, Cortes, Burges: yann.lecun.com/exdb/mnist, "file
// formats"): a magic number 0x0000TTDD (type 0x08: unsigned byte; DD dimensions), the extents as big-endian 32-bit
// integers, then the bytes, row-major.
#include "train/dataset_private.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { IMAGES_MAGIC = 0x803, LABELS_MAGIC = 0x801, LARGEST_SIDE = 4096 };
static const size_t LARGEST_DATA = (size_t)1 << 34; // 16 GiB: what is read stays in memory

struct idx {
    uint32_t extent[3];
    uint8_t *data;
};

// "FOLDER/PREFIX-KIND", or the same with .gz; NULL when neither is there.
static const char *find_file(const dit_dataset *set, const char *prefix, const char *kind)
{
    const char *plain = dit_arena_printf(set->arena, "%s/%s-%s", set->folder, prefix, kind);
    const char *packed = dit_arena_printf(set->arena, "%s/%s-%s.gz", set->folder, prefix, kind);
    return dit_is_file(plain) ? plain : dit_is_file(packed) ? packed : NULL;
}

static const char *find_images(const dit_dataset *set, const char *split, const char **prefix)
{
    *prefix = split ? split : "train";
    const char *path = find_file(set, *prefix, "images-idx3-ubyte");
    if (!path && split && !strcmp(split, "test"))
        path = find_file(set, *prefix = "t10k", "images-idx3-ubyte");
    return path;
}

bool dit_idx_found(const dit_dataset *set, const char *split)
{
    const char *prefix;
    return find_images(set, split, &prefix) != NULL;
}

// Exactly `size` bytes of a file that may be gzipped.
static dit_status read_bytes(gzFile file, const char *path, void *bytes, size_t size, dit_error *error)
{
    uint8_t *to = bytes;
    while (size > 0) {
        int n = gzread(file, to, size < 1 << 24 ? (unsigned)size : 1 << 24);
        int code;
        if (n < 0) {
            const char *reason = gzerror(file, &code);
            return dit_fail(error, DIT_BAD_FILE, "%s: cannot be unpacked: %s", path, reason);
        }
        if (n == 0)
            return dit_fail(error, DIT_BAD_FILE, "%s: ends %zu bytes early; it was cut short", path, size);
        to += n;
        size -= (size_t)n;
    }
    return DIT_OK;
}

static dit_status read_header(gzFile file, const char *path, uint32_t magic, struct idx *idx, size_t *size,
                              dit_error *error)
{
    uint8_t b[16];
    int rank = (int)(magic & 0xff);
    if (read_bytes(file, path, b, 4 + 4 * (size_t)rank, error))
        return error->status;
    uint32_t words[4] = {0};
    for (int i = 0; i <= rank; i++)
        words[i] = (uint32_t)b[4 * i] << 24 | (uint32_t)b[4 * i + 1] << 16 | (uint32_t)b[4 * i + 2] << 8 | b[4 * i + 3];
    if (words[0] != magic)
        return dit_fail(error, DIT_BAD_FILE,
                        "%s: begins with 0x%08x; an IDX file of unsigned bytes of rank %d with 0x%08x", path, words[0],
                        rank, magic);
    *size = 1;
    for (int i = 0; i < rank; i++) {
        idx->extent[i] = words[i + 1];
        if (words[i + 1] == 0 || words[i + 1] > INT_MAX || (i > 0 && words[i + 1] > LARGEST_SIDE))
            return dit_fail(error, DIT_BAD_FILE, "%s: says that axis %d has %u elements", path, i, words[i + 1]);
        *size *= words[i + 1]; // at most 2^31 x 2^12 x 2^12
    }
    if (*size > LARGEST_DATA)
        return dit_fail(error, DIT_BAD_FILE, "%s: says that it holds %zu bytes; at most %zu are read", path, *size,
                        LARGEST_DATA);
    return DIT_OK;
}

// The data grows as it is read, so that a header alone cannot claim memory.
static dit_status read_data(gzFile file, const char *path, size_t size, struct idx *idx, dit_error *error)
{
    enum { FIRST = 1 << 22 };
    size_t have = 0, room = 0;
    while (have < size) {
        size_t next = room ? 2 * room : FIRST;
        if (next > size)
            next = size;
        uint8_t *grown = realloc(idx->data, next);
        if (!grown)
            return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its %zu bytes", path, size);
        idx->data = grown;
        room = next;
        if (read_bytes(file, path, idx->data + have, room - have, error))
            return error->status;
        have = room;
    }
    char more;
    if (gzread(file, &more, 1) != 0)
        return dit_fail(error, DIT_BAD_FILE, "%s: goes on after the %zu bytes that its header says", path, size);
    return DIT_OK;
}

// *idx owns its data on success.
static dit_status read_idx(const char *path, uint32_t magic, struct idx *idx, dit_error *error)
{
    size_t size = 0;
    gzFile file = gzopen(path, "rbe"); // reads what is not gzipped as it is
    if (!file)
        return dit_fail_errno(error, errno ? errno : ENOMEM, "%s: cannot open", path);
    *idx = (struct idx){0};
    dit_status status = read_header(file, path, magic, idx, &size, error);
    if (!status)
        status = read_data(file, path, size, idx, error);
    gzclose(file);
    if (status) {
        free(idx->data);
        idx->data = NULL;
    }
    return status;
}

// One class a line. Without labels.txt the classes are called by their numbers.
static dit_status name_classes(dit_dataset *set, int classes, dit_error *error)
{
    const char *path = dit_dataset_path(set, "labels.txt");
    FILE *file = dit_is_file(path) ? fopen(path, "re") : NULL;
    char line[256], number[16];
    while (file && !error->status && set->classes < DIT_MOST_CLASSES && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\r\n")] = 0;
        dit_dataset_add_class(set, line, error);
    }
    if (!error->status && file && set->classes < classes)
        dit_fail(error, DIT_BAD_FILE, "%s: names %d classes; there are labels up to %d", path, set->classes,
                 classes - 1);
    while (!error->status && set->classes < classes) {
        snprintf(number, sizeof number, "%d", set->classes);
        dit_dataset_add_class(set, number, error);
    }
    if (file)
        fclose(file);
    return error->status;
}

static dit_status add_samples(dit_dataset *set, const char *images_path, const struct idx *images,
                              const uint8_t *labels, dit_error *error)
{
    const char *base = strrchr(images_path, '/') + 1;
    int classes = 0;
    for (uint32_t i = 0; i < images->extent[0] && !error->status; i++) {
        const char *name = dit_arena_printf(set->arena, "%s, picture %u", base, i);
        if (!name)
            return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its list of samples", set->folder);
        dit_dataset_add(set, (dit_sample){.name = name, .label = labels[i]}, error);
        classes = labels[i] >= classes ? labels[i] + 1 : classes;
    }
    return error->status ? error->status : name_classes(set, classes, error);
}

dit_status dit_idx_read(dit_dataset *set, const char *split, dit_error *error)
{
    const char *prefix, *images_path = find_images(set, split, &prefix);
    const char *labels_path = find_file(set, prefix, "labels-idx1-ubyte");
    struct idx images = {0}, labels = {0};
    if (!images_path || !labels_path)
        return dit_fail(error, DIT_NO_FILE, "%s: %s-labels-idx1-ubyte, which belongs to the pictures, is not there",
                        set->folder, prefix);
    if (read_idx(images_path, IMAGES_MAGIC, &images, error) || read_idx(labels_path, LABELS_MAGIC, &labels, error))
        goto done;
    if (images.extent[0] != labels.extent[0]) {
        dit_fail(error, DIT_BAD_FILE, "%s: holds %u labels for the %u pictures of %s", labels_path, labels.extent[0],
                 images.extent[0], images_path);
        goto done;
    }
    set->height = (int)images.extent[1];
    set->width = (int)images.extent[2];
    if (!add_samples(set, images_path, &images, labels.data, error)) {
        set->pixels = images.data;
        images.data = NULL;
    }
done:
    free(images.data);
    free(labels.data);
    return error->status;
}
