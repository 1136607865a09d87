// tests/fuzz/original_fuzz.c: any bytes as a single file of a network: which family it belongs to, the configuration
// that follows from shapes and metadata, and its tensors under their published names. `gguf_texts.py --seeds` makes the
// seeds.
#define _GNU_SOURCE // memfd_create
#include "models/component.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (fd < 0 && (fd = memfd_create("fuzz", 0)) < 0)
        abort();
    snprintf(path, sizeof path, "/dev/fd/%d", fd);
    if (ftruncate(fd, 0) || pwrite(fd, bytes, size, 0) != (ssize_t)size)
        abort();
    dit_error error = {0};
    dit_component component;
    if (dit_component_open(&component, path, DIT_BF16, &error) && !*error.message)
        abort();
    dit_component_close(&component);
    return 0;
}
