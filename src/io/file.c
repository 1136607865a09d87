// io/file.c: opening and reading regular files.
#include "io/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

dit_status dit_file_open(const char *path, int *descriptor, uint64_t *size, dit_error *error)
{
    // O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever; regular files do not notice.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return dit_fail_errno(error, errno, "%s: cannot open", path);
    struct stat info;
    dit_status status = DIT_OK;
    if (fstat(fd, &info))
        status = dit_fail_errno(error, errno, "%s: cannot read its size", path);
    else if (S_ISDIR(info.st_mode))
        status = dit_fail(error, DIT_NO_FILE, "%s: is a folder; a file is needed here", path);
    else if (!S_ISREG(info.st_mode))
        status = dit_fail(error, DIT_NO_FILE, "%s: is not a regular file", path);
    if (status) {
        close(fd);
        return status;
    }
    *descriptor = fd;
    *size = (uint64_t)info.st_size;
    return DIT_OK;
}

dit_status dit_file_read_at(int fd, const char *path, void *bytes, size_t size, uint64_t offset, dit_error *error)
{
    char *to = bytes;
    while (size > 0) {
        ssize_t n = pread(fd, to, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return dit_fail_errno(error, errno, "%s: cannot read", path);
        if (n == 0)
            return dit_fail(error, DIT_BAD_FILE, "%s: ends %zu bytes early; it was cut short", path, size);
        to += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return DIT_OK;
}

dit_status dit_file_read(const char *path, size_t limit, char **bytes, size_t *size, dit_error *error)
{
    int fd;
    uint64_t length;
    dit_status status = dit_file_open(path, &fd, &length, error);
    if (status)
        return status;
    char *read_bytes = NULL;
    if (length > limit)
        status = dit_fail(error, DIT_BAD_FILE, "%s: has %llu bytes; a file of this kind has at most %zu", path,
                          (unsigned long long)length, limit);
    else if (!(read_bytes = malloc((size_t)length + 1)))
        status = dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its %llu bytes", path, (unsigned long long)length);
    else
        status = dit_file_read_at(fd, path, read_bytes, (size_t)length, 0, error);
    close(fd);
    if (status) {
        free(read_bytes);
        return status;
    }
    read_bytes[length] = 0;
    *bytes = read_bytes;
    *size = (size_t)length;
    return DIT_OK;
}
