// tests/fuzz/gguf_fuzz.c: any bytes as a GGUF file; everything that it hands out is read.
#define _GNU_SOURCE // memfd_create
#include "io/gguf.h"
#include "memory_file.h"
#include <stdlib.h>
#include <string.h>

static volatile unsigned char sink;

static void read_tensors(dit_gguf *file)
{
    for (size_t i = 0; i < dit_gguf_count(file); i++) {
        dit_array array;
        dit_error error = {0};
        const dit_gguf_entry *entry = dit_gguf_at(file, i);
        if (dit_gguf_find(file, entry->name) != (ptrdiff_t)i)
            abort();
        for (uint64_t j = 0; j < entry->bytes; j++)
            sink ^= ((const unsigned char *)entry->data)[j];
        if (dit_gguf_array(file, i, &array, &error))
            continue;
        if (dit_array_bytes(&array) != entry->bytes)
            abort();
        int64_t count = dit_shape_count(&array.shape);
        for (int64_t j = 0; j < count; j += 1 + count / 16)
            sink ^= dit_element_get(array.dtype, array.data, j) > 0;
        dit_gguf_release(file, &array);
    }
}

static void read_metadata(const dit_gguf *file)
{
    for (size_t i = 0; i < dit_gguf_metadata_count(file); i++) {
        const dit_gguf_value *v = dit_gguf_metadata_at(file, i);
        int64_t integer;
        double number;
        if (dit_gguf_metadata(file, v->key) != v)
            abort();
        for (uint64_t k = 0; k < v->count && k < 100; k++)
            if (dit_gguf_integer(v, k, &integer) && !dit_gguf_number(v, k, &number))
                abort();
        if (dit_gguf_integer(v, v->count, &integer))
            abort();
        const char *text;
        size_t length;
        for (uint64_t cursor = 0; dit_gguf_next_text(v, &cursor, &text, &length);)
            for (size_t k = 0; k < length; k++)
                sink ^= (unsigned char)text[k];
        sink ^= v->text ? (unsigned char)strlen(v->text) : 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    dit_gguf *file;
    dit_error error = {0};
    if (dit_gguf_open(&file, memory_file_of(bytes, size), &error)) {
        if (!*error.message)
            abort();
        return 0;
    }
    read_tensors(file);
    read_metadata(file);
    dit_gguf_close(file);
    return 0;
}
