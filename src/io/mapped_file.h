// io/mapped_file.h: the bytes of a whole file: in memory when it is small, otherwise mapped.
#ifndef DIT_IO_MAPPED_FILE_H
#define DIT_IO_MAPPED_FILE_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

// Zero-initialise; ends with dit_mapped_file_close. Files under 64 MiB are copied, since they cannot then be cut short
// under the reader; a larger one that another program shortens ends this one (SIGBUS), so published weights are
// replaced by renaming, never rewritten in place.
typedef struct dit_mapped_file {
    const unsigned char *data; // page-aligned or aligned to 64 bytes
    size_t size;
    bool mapped;
} dit_mapped_file;

// Fails with DIT_NO_FILE, DIT_BAD_FILE (shortened while being read) or DIT_NO_MEMORY.
dit_status dit_mapped_file_open(dit_mapped_file *file, const char *path, dit_error *error);
void dit_mapped_file_close(dit_mapped_file *file);

// Memory to write to, `size` bytes of zeros, that a file without a name backs, in the folder TMPDIR or /var/tmp: for
// what is computed once and need not stay in memory. Its room on the disk is taken at once. Fails with DIT_NO_MEMORY
// when the disk has none, DIT_NO_FILE when there is no such folder.
dit_status dit_mapped_file_scratch(dit_mapped_file *file, size_t size, dit_error *error);

// Whether `data` lies in a mapped file, so that the two below do something.
bool dit_mapped_file_holds(const dit_mapped_file *file, const void *data);
// Tells the system that `size` bytes at `data` are not needed for now (reading them again gives the same values), or
// will be soon. Bytes that are not of a mapped file are left alone.
void dit_mapped_file_release(const dit_mapped_file *file, const void *data, size_t size);
void dit_mapped_file_prefetch(const dit_mapped_file *file, const void *data, size_t size);

#endif
