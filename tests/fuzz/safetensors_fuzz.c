// tests/fuzz/safetensors_fuzz.c: any bytes as a safetensors file, and as the header of one with a fitting length.
#define _GNU_SOURCE // memfd_create
#include "io/safetensors.h"
#include "memory_file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile unsigned char sink;

// Reads every byte that the reader hands out.
static void read_all(dit_safetensors *set)
{
    for (size_t i = 0; i < dit_safetensors_count(set); i++) {
        dit_array array;
        dit_error error = {0};
        const dit_safetensors_entry *entry = dit_safetensors_at(set, i);
        if (dit_safetensors_find(set, entry->name) != (ptrdiff_t)i)
            abort();
        if (dit_safetensors_array(set, i, &array, &error))
            continue;
        if (dit_array_bytes(&array) != entry->bytes)
            abort();
        for (uint64_t j = 0; j < entry->bytes; j++)
            sink ^= ((unsigned char *)array.data)[j];
        dit_safetensors_release(set, &array);
    }
    for (size_t i = 0; i < dit_safetensors_metadata_count(set); i++)
        if (!dit_safetensors_metadata(set, dit_safetensors_metadata_at(set, i).key))
            abort();
}

static void open_file(void)
{
    dit_safetensors *set;
    dit_error error = {0};
    if (dit_safetensors_open(&set, memory_file_path(), &error)) {
        if (!*error.message)
            abort();
        return;
    }
    read_all(set);
    dit_safetensors_close(set);
}

static void put(const void *bytes, size_t size, off_t at)
{
    if (pwrite(memory_file(), bytes, size, at) != (ssize_t)size)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    memory_file_of(bytes, size);
    open_file();
    if (size < 2)
        return 0;
    // Two bytes say how much data there is; the rest is the header.
    uint64_t data = (uint64_t)(bytes[0] | bytes[1] << 8), header = size - 2;
    if (ftruncate(memory_file(), 0) || ftruncate(memory_file(), (off_t)(8 + header + data)))
        abort();
    put(&header, 8, 0);
    put(bytes + 2, (size_t)header, 8);
    open_file();
    return 0;
}
