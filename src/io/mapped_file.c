// io/mapped_file.c: reading or mapping a whole file.
#include "io/mapped_file.h"
#include "io/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LARGEST_COPY = 64 << 20 };

static dit_status copy(dit_mapped_file *file, int fd, const char *path, size_t size, dit_error *error)
{
    unsigned char *data = aligned_alloc(64, (size + 64) & ~(size_t)63);
    if (!data)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its %zu bytes", path, size);
    *file = (dit_mapped_file){data, size, false};
    return dit_file_read_at(fd, path, data, size, 0, error);
}

static dit_status map(dit_mapped_file *file, int fd, const char *path, size_t size, dit_error *error)
{
    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return dit_fail_errno(error, errno, "%s: cannot map it into memory", path);
    *file = (dit_mapped_file){data, size, true};
    return DIT_OK;
}

dit_status dit_mapped_file_open(dit_mapped_file *file, const char *path, dit_error *error)
{
    int fd;
    uint64_t size;
    *file = (dit_mapped_file){0};
    dit_status status = dit_file_open(path, &fd, &size, error);
    if (status)
        return status;
    if (size > SIZE_MAX / 2)
        status = dit_fail(error, DIT_NO_MEMORY, "%s: is larger than the address space", path);
    else
        status =
            size < LARGEST_COPY ? copy(file, fd, path, (size_t)size, error) : map(file, fd, path, (size_t)size, error);
    close(fd);
    if (status)
        dit_mapped_file_close(file);
    return status;
}

dit_status dit_mapped_file_scratch(dit_mapped_file *file, size_t size, dit_error *error)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];
    void *data = MAP_FAILED;
    *file = (dit_mapped_file){0};
    folder = folder && *folder ? folder : "/var/tmp";
    int n = snprintf(path, sizeof path, "%s/dit-XXXXXX", folder);
    int fd = n < 0 || (size_t)n >= sizeof path ? -1 : mkstemp(path);
    if (fd < 0)
        return dit_fail(error, DIT_NO_FILE, "%.200s: cannot make a file for copies of weights; set TMPDIR", folder);
    unlink(path);
    int failure = posix_fallocate(fd, 0, (off_t)size);
    if (!failure)
        data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (data == MAP_FAILED)
        return dit_fail(error, DIT_NO_MEMORY, "%.200s: no room for copies of weights, %.0f MiB; set TMPDIR", folder,
                        (double)size / 0x1p20);
    *file = (dit_mapped_file){data, size, true};
    return DIT_OK;
}

void dit_mapped_file_close(dit_mapped_file *file)
{
    if (file->mapped)
        munmap((void *)file->data, file->size);
    else
        free((void *)file->data);
    *file = (dit_mapped_file){0};
}

bool dit_mapped_file_holds(const dit_mapped_file *file, const void *data)
{
    uintptr_t start = (uintptr_t)data, first = (uintptr_t)file->data;
    return file->mapped && start >= first && start - first < file->size;
}

// The pages that bytes of a mapped file lie in; false for other bytes.
static bool pages_of(const dit_mapped_file *file, const void *data, size_t size, uintptr_t *start, size_t *length)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), end = (uintptr_t)file->data + file->size;
    if (!dit_mapped_file_holds(file, data))
        return false;
    uintptr_t last = size < end - (uintptr_t)data ? (uintptr_t)data + size : end;
    *start = (uintptr_t)data & ~(page - 1);
    *length = last - *start;
    return true;
}

void dit_mapped_file_release(const dit_mapped_file *file, const void *data, size_t size)
{
    uintptr_t start;
    size_t length;
    if (pages_of(file, data, size, &start, &length))
        madvise((void *)start, length, MADV_DONTNEED);
}

void dit_mapped_file_prefetch(const dit_mapped_file *file, const void *data, size_t size)
{
    enum { PIECE = 128 << 10 }; // of one piece of advice Linux reads no more than its read-ahead window
    uintptr_t start;
    size_t length;
    if (!pages_of(file, data, size, &start, &length))
        return;
    for (size_t at = 0; at < length; at += PIECE)
        madvise((void *)(start + at), length - at < PIECE ? length - at : PIECE, MADV_WILLNEED);
}
