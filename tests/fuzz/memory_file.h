// tests/fuzz/memory_file.h: bytes as a file that has a path and is on no disk, for readers that open paths.
#ifndef DIT_TESTS_FUZZ_MEMORY_FILE_H
#define DIT_TESTS_FUZZ_MEMORY_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

// The same file at every call, so that nothing of an earlier input may be open. Its descriptor, for parts of it.
static inline int memory_file(void)
{
    static int fd = -1;
    if (fd < 0 && (fd = memfd_create("fuzz", 0)) < 0)
        abort();
    return fd;
}

static inline const char *memory_file_path(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory_file());
    return path;
}

static inline const char *memory_file_of(const void *bytes, size_t size)
{
    if (ftruncate(memory_file(), 0) || pwrite(memory_file(), bytes, size, 0) != (ssize_t)size)
        abort();
    return memory_file_path();
}

#endif
