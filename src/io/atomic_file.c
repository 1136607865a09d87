// io/atomic_file.c: write under a temporary name, sync, rename.
#include "io/atomic_file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 256 << 10 };

struct dit_atomic_file {
    char *path;      // as the caller named it, for messages
    char *target;    // what the rename replaces: `path` with symbolic links followed
    char *temporary; // NULL when a device or pipe is written to directly
    int descriptor;
    size_t used;
    char buffer[BUFFER];
};

static void free_file(dit_atomic_file *file)
{
    if (file->descriptor >= 0)
        close(file->descriptor);
    free(file->path);
    free(file->target);
    free(file->temporary);
    free(file);
}

// Writing past a file-size limit or into a closed pipe sends a signal that would end the program; here it becomes the
// errno that comes with it (EFBIG, EPIPE).
static ssize_t write_without_signal(int fd, const void *bytes, size_t size)
{
    sigset_t ours, before;
    sigemptyset(&ours);
    sigaddset(&ours, SIGXFSZ);
    sigaddset(&ours, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &ours, &before);
    ssize_t n = write(fd, bytes, size);
    int code = errno;
    if (n < 0 && (code == EFBIG || code == EPIPE)) {
        sigset_t raised;
        sigemptyset(&raised);
        sigaddset(&raised, code == EFBIG ? SIGXFSZ : SIGPIPE);
        if (!sigismember(&before, code == EFBIG ? SIGXFSZ : SIGPIPE))
            sigtimedwait(&raised, NULL, &(struct timespec){0, 0});
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = code;
    return n;
}

static dit_status write_all(dit_atomic_file *file, const char *bytes, size_t size, dit_error *error)
{
    while (size > 0) {
        ssize_t n = write_without_signal(file->descriptor, bytes, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EFBIG)
            return dit_fail(error, DIT_NO_MEMORY, "%s: cannot write: over the file-size limit", file->path);
        if (n < 0)
            return dit_fail_errno(error, errno, "%s: cannot write", file->path);
        bytes += n;
        size -= (size_t)n;
    }
    return DIT_OK;
}

// The temporary name's folder is the target's, since a rename cannot cross file systems. Its length does not depend on
// the target's name, which may already be as long as names can be.
static dit_status create_temporary(dit_atomic_file *file, mode_t mode, dit_error *error)
{
    static atomic_uint counter;
    const char *slash = strrchr(file->target, '/');
    size_t folder = slash ? (size_t)(slash - file->target) + 1 : 0, room = folder + 64;
    file->temporary = malloc(room);
    if (!file->temporary)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its name", file->path);
    memcpy(file->temporary, file->target, folder);
    for (int attempt = 0; attempt < 100; attempt++) {
        snprintf(file->temporary + folder, room - folder, ".dit-%ld-%u.tmp", (long)getpid(),
                 atomic_fetch_add(&counter, 1));
        file->descriptor = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (file->descriptor >= 0)
            return DIT_OK;
        if (errno != EEXIST)
            break;
    }
    int code = errno;
    free(file->temporary);
    file->temporary = NULL;
    return dit_fail_errno(error, code, "%s: cannot create", file->path);
}

static dit_status open_directly(dit_atomic_file *file, dit_error *error)
{
    // O_NONBLOCK: a FIFO without a reader fails (ENXIO) where it would otherwise wait for ever.
    file->descriptor = open(file->path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file->descriptor < 0)
        return dit_fail_errno(error, errno, "%s: cannot open for writing", file->path);
    int flags = fcntl(file->descriptor, F_GETFL);
    if (flags < 0 || fcntl(file->descriptor, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return dit_fail_errno(error, errno, "%s: cannot open for writing", file->path);
    return DIT_OK;
}

static dit_status open_target(dit_atomic_file *file, dit_error *error)
{
    size_t length = strlen(file->path);
    struct stat old;
    if (length == 0)
        return dit_fail(error, DIT_BAD_ARGUMENT, "the name of a file to write is empty");
    if (stat(file->path, &old)) {
        if (errno != ENOENT)
            return dit_fail_errno(error, errno, "%s: cannot write", file->path);
        if (file->path[length - 1] == '/')
            return dit_fail(error, DIT_NO_FILE, "%s: is no folder; name a file to write", file->path);
        if (!(file->target = strdup(file->path)))
            return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its name", file->path);
        return create_temporary(file, 0666, error);
    }
    if (S_ISDIR(old.st_mode))
        return dit_fail(error, DIT_NO_FILE, "%s: is a folder; name a file to write", file->path);
    if (!S_ISREG(old.st_mode))
        return open_directly(file, error);
    if (access(file->path, W_OK) || !(file->target = realpath(file->path, NULL)))
        return dit_fail_errno(error, errno, "%s: cannot write", file->path);
    dit_status status = create_temporary(file, 0600, error);
    if (!status && fchmod(file->descriptor, old.st_mode & 07777)) {
        status = dit_fail_errno(error, errno, "%s: cannot keep its permissions", file->path);
        unlink(file->temporary);
    }
    return status;
}

dit_status dit_atomic_file_open(dit_atomic_file **out, const char *path, dit_error *error)
{
    dit_atomic_file *file = calloc(1, sizeof *file);
    if (!file)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to write it", path);
    file->descriptor = -1;
    file->path = strdup(path);
    dit_status status =
        file->path ? open_target(file, error) : dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its name", path);
    if (status) {
        free_file(file);
        return status;
    }
    *out = file;
    return DIT_OK;
}

static dit_status flush(dit_atomic_file *file, dit_error *error)
{
    dit_status status = write_all(file, file->buffer, file->used, error);
    file->used = 0;
    return status;
}

dit_status dit_atomic_file_write(dit_atomic_file *file, const void *bytes, size_t size, dit_error *error)
{
    dit_status status = DIT_OK;
    if (size > BUFFER - file->used)
        status = flush(file, error);
    if (status)
        return status;
    if (size >= BUFFER)
        return write_all(file, bytes, size, error);
    if (size > 0)
        memcpy(file->buffer + file->used, bytes, size);
    file->used += size;
    return DIT_OK;
}

// The new name itself lies in the folder, which has to reach the disk as well. Some file systems cannot sync a folder;
// the file is in place by then, so that is no failure.
static void sync_folder(const char *target)
{
    const char *slash = strrchr(target, '/');
    char *folder = slash ? strndup(target, (size_t)(slash - target) + 1) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)!fsync(fd);
        close(fd);
    }
    free(folder);
}

dit_status dit_atomic_file_commit(dit_atomic_file *file, dit_error *error)
{
    dit_status status = flush(file, error);
    if (!status && file->temporary && fsync(file->descriptor))
        status = dit_fail_errno(error, errno, "%s: cannot write", file->path);
    int closed = close(file->descriptor);
    file->descriptor = -1;
    if (!status && closed)
        status = dit_fail_errno(error, errno, "%s: cannot write", file->path);
    if (!status && file->temporary && rename(file->temporary, file->target))
        status = dit_fail_errno(error, errno, "%s: cannot put the file in place", file->path);
    if (file->temporary) {
        if (status)
            unlink(file->temporary);
        else
            sync_folder(file->target);
    }
    free_file(file);
    return status;
}

void dit_atomic_file_abort(dit_atomic_file *file)
{
    if (!file)
        return;
    if (file->temporary)
        unlink(file->temporary);
    free_file(file);
}

dit_status dit_atomic_file_save(const char *path, const void *bytes, size_t size, dit_error *error)
{
    dit_atomic_file *file;
    dit_status status = dit_atomic_file_open(&file, path, error);
    if (status)
        return status;
    status = dit_atomic_file_write(file, bytes, size, error);
    if (status) {
        dit_atomic_file_abort(file);
        return status;
    }
    return dit_atomic_file_commit(file, error);
}

void dit_atomic_file_sweep(const char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        long process;
        unsigned number;
        char name[64];
        if (sscanf(e->d_name, ".dit-%ld-%u.tmp", &process, &number) != 2)
            continue;
        snprintf(name, sizeof name, ".dit-%ld-%u.tmp", process, number);
        if (!strcmp(name, e->d_name))
            unlinkat(dirfd(d), name, 0);
    }
    if (d)
        closedir(d);
}
