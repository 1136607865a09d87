// tests/fuzz/torch_zip_fuzz.c: any bytes as a file by torch.save, and as the pickle of one that holds two storages.
#define _GNU_SOURCE // memfd_create
#include "io/torch_zip.h"
#include "memory_file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static volatile unsigned char sink;

static void open_bytes(const void *bytes, size_t size)
{
    dit_torch_zip *file;
    dit_error error = {0};
    if (dit_torch_zip_open(&file, memory_file_of(bytes, size), &error)) {
        if (!*error.message)
            abort();
        return;
    }
    for (size_t i = 0; i < dit_torch_zip_count(file); i++) {
        dit_array array;
        dit_error failure = {0};
        const dit_torch_entry *entry = dit_torch_zip_at(file, i);
        if (dit_torch_zip_find(file, entry->name) != (ptrdiff_t)i)
            abort();
        if (dit_torch_zip_array(file, i, &array, &failure))
            continue;
        if (dit_array_bytes(&array) != entry->bytes)
            abort();
        for (uint64_t j = 0; j < entry->bytes; j++)
            sink ^= ((unsigned char *)array.data)[j];
        dit_torch_zip_release(file, &array);
    }
    dit_torch_zip_close(file);
}

// An archive being made.
struct archive {
    unsigned char *bytes, directory[1000];
    size_t size, directory_size;
    int count;
};

static void put(unsigned char *at, int bytes, uint64_t value)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

static void add(struct archive *a, const char *name, const void *data, size_t size)
{
    unsigned char *local = a->bytes + a->size, *entry = a->directory + a->directory_size;
    size_t length = strlen(name);
    memset(local, 0, 30);
    memset(entry, 0, 46);
    put(local, 4, 0x04034b50);
    put(local + 26, 2, length);
    put(entry, 4, 0x02014b50);
    put(entry + 16, 4, crc32(0, data, (uInt)size));
    put(entry + 20, 4, size);
    put(entry + 24, 4, size);
    put(entry + 28, 2, length);
    put(entry + 42, 4, a->size);
    memcpy(local + 30, name, length);
    memcpy(local + 30 + length, data, size);
    memcpy(entry + 46, name, length);
    a->size += 30 + length + size;
    a->directory_size += 46 + length;
    a->count++;
}

static void open_pickle(const uint8_t *bytes, size_t size)
{
    static const float values[64] = {1, 2, 3};
    struct archive a = {.bytes = malloc(size + 4096)};
    add(&a, "a/data.pkl", bytes, size);
    add(&a, "a/data/0", values, sizeof values);
    add(&a, "a/data/1", values, 7);
    unsigned char *end = a.bytes + a.size + a.directory_size;
    memcpy(a.bytes + a.size, a.directory, a.directory_size);
    memset(end, 0, 22);
    put(end, 4, 0x06054b50);
    put(end + 10, 2, (uint64_t)a.count);
    put(end + 12, 4, a.directory_size);
    put(end + 16, 4, a.size);
    open_bytes(a.bytes, a.size + a.directory_size + 22);
    free(a.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    open_bytes(bytes, size);
    open_pickle(bytes, size);
    return 0;
}
