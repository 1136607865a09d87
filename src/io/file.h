// io/file.h: whole files in memory, and the checks that come before any byte of a file is trusted.
#ifndef DIT_IO_FILE_H
#define DIT_IO_FILE_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

// Opens a regular file for reading and gives its size. A folder, FIFO, socket or device is refused at once, without
// waiting for its other end. Fails with DIT_NO_FILE.
dit_status dit_file_open(const char *path, int *descriptor, uint64_t *size, dit_error *error);

// Reads a regular file of at most `limit` bytes. *bytes is malloc'd, `*size` bytes long with a 0 after them that does
// not count. Fails with DIT_NO_FILE (cannot be read), DIT_BAD_FILE (over the limit), DIT_NO_MEMORY.
dit_status dit_file_read(const char *path, size_t limit, char **bytes, size_t *size, dit_error *error);

// Reads exactly `size` bytes at `offset`; a file that ends before them is DIT_BAD_FILE. `path` is for the message.
dit_status dit_file_read_at(int descriptor, const char *path, void *bytes, size_t size, uint64_t offset,
                            dit_error *error);

#endif
