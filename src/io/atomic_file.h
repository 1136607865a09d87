// io/atomic_file.h: a file that appears whole or not at all.
#ifndef DIT_IO_ATOMIC_FILE_H
#define DIT_IO_ATOMIC_FILE_H

#include "base/error.h"
#include <stddef.h>

// A file being written under a temporary name (.dit-*.tmp) in the folder of its final name. Committing syncs and
// renames it; an older file of that name stays untouched until then, and keeps its permissions and the links to it.
// A path that is a device or a pipe (/dev/stdout, >(command)) is written to directly.
typedef struct dit_atomic_file dit_atomic_file; // ends with dit_atomic_file_commit or dit_atomic_file_abort

// Fails with DIT_NO_FILE (no such folder, no permission, the path is a folder) or DIT_NO_MEMORY.
dit_status dit_atomic_file_open(dit_atomic_file **file, const char *path, dit_error *error);

// Appends. A full disk or a file-size limit is DIT_NO_MEMORY; the file can only be aborted afterwards.
dit_status dit_atomic_file_write(dit_atomic_file *file, const void *bytes, size_t size, dit_error *error);

// Makes the file appear under its name, durably. Frees `file`, also on failure, when nothing is left behind.
dit_status dit_atomic_file_commit(dit_atomic_file *file, dit_error *error);

// Removes what was written and frees `file`, which may be NULL.
void dit_atomic_file_abort(dit_atomic_file *file);

// Removes the temporary files that killed programs left in a folder which the caller alone writes to.
void dit_atomic_file_sweep(const char *folder);

// All four at once.
dit_status dit_atomic_file_save(const char *path, const void *bytes, size_t size, dit_error *error);

#endif
