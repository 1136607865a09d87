// tests/fuzz/original_fuzz.c: any bytes as a single file of a network: which family it belongs to, the configuration
// that follows from shapes and metadata, and its tensors under their published names. `gguf_texts.py --seeds` makes the
// seeds.
#define _GNU_SOURCE // memfd_create
#include "memory_file.h"
#include "models/component.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    dit_error error = {0};
    dit_component component;
    if (dit_component_open(&component, memory_file_of(bytes, size), DIT_BF16, &error) && !*error.message)
        abort();
    dit_component_close(&component);
    return 0;
}
