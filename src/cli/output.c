// cli/output.c: whether a result could be written, asked before the work begins.
#include "cli/command.h"
#include "cli/format.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

// The folder that holds `path`, malloc'd: "." for a bare name.
static char *folder_of(const char *path)
{
    char *folder = strdup(path);
    if (!folder)
        return NULL;
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/')
        folder[--n] = 0;
    char *slash = strrchr(folder, '/');
    if (!slash)
        strcpy(folder, "."); // a name has at least one byte
    else
        slash[slash == folder] = 0;
    return folder;
}

static dit_status check_folder(const char *folder, const char *path, const char *what, uint64_t bytes, dit_error *error)
{
    struct stat info;
    struct statvfs disk;
    if (stat(folder, &info))
        return dit_fail_errno(error, errno, "%s %.150s: the folder %.150s cannot be used", what, path, folder);
    if (!S_ISDIR(info.st_mode))
        return dit_fail(error, DIT_NO_FILE, "%s %.150s: %.150s is not a folder", what, path, folder);
    if (access(folder, W_OK | X_OK))
        return dit_fail_errno(error, errno, "%s %.150s: nothing can be written into %.150s", what, path, folder);
    if (bytes && statvfs(folder, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < bytes)
        return dit_fail(error, DIT_NO_MEMORY, "%s %.150s: it takes %s, and the disk has %s left", what, path,
                        format_bytes((char[FORMAT_SIZE]){0}, (double)bytes),
                        format_bytes((char[FORMAT_SIZE]){0}, (double)disk.f_bavail * (double)disk.f_frsize));
    return DIT_OK;
}

dit_status check_output_path(const char *path, const char *what, uint64_t bytes, dit_error *error)
{
    struct stat info;
    size_t length = strlen(path);
    if (length == 0 || path[length - 1] == '/' || (stat(path, &info) == 0 && S_ISDIR(info.st_mode)))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s needs a file name; \"%.200s\" is a folder", what, path);
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) // a device or a pipe is written to directly
        return access(path, W_OK) ? dit_fail_errno(error, errno, "%s %.200s", what, path) : DIT_OK;
    char *folder = folder_of(path);
    if (!folder)
        return dit_fail(error, DIT_NO_MEMORY, "out of memory");
    dit_status status = check_folder(folder, path, what, bytes, error);
    free(folder);
    return status;
}

dit_status check_output_folder(const char *path, const char *what, dit_error *error)
{
    struct stat info;
    if (stat(path, &info) == 0)
        return check_folder(path, path, what, 0, error);
    char *folder = folder_of(path);
    if (!folder)
        return dit_fail(error, DIT_NO_MEMORY, "out of memory");
    dit_status status = check_folder(folder, path, what, 0, error);
    free(folder);
    return status;
}
