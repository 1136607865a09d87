// pipelines/default_model.c: where the model that comes with the library lies.
#define _GNU_SOURCE // dladdr
#include "pipelines/pipeline.h"
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool holds_model(const char *folder)
{
    char index[PATH_MAX + 32];
    return (size_t)snprintf(index, sizeof index, "%s/model_index.json", folder) < sizeof index &&
           access(index, R_OK) == 0;
}

// The file that this code was loaded from: libdit.so, or the program that the library is part of.
static bool own_file(char path[PATH_MAX])
{
    static const char anchor;
    Dl_info info;
    const char *slash = dladdr(&anchor, &info) && info.dli_fname ? strrchr(info.dli_fname, '/') : NULL;
    return realpath(slash && strncmp(slash, "/libdit.so", 10) == 0 ? info.dli_fname : "/proc/self/exe", path) != NULL;
}

// An installed tree may be moved, so it is searched from the file itself: bin/dit and lib/libdit.so, or
// lib/x86_64-linux-gnu/libdit.so. A program that was built but not installed uses the repository's.
const char *dit_default_model(char *path, size_t size)
{
    static const char *const places[] = {"..", "../.."};
    char file[PATH_MAX];
    const char *named = getenv("DIT_MODEL");
    if (named && *named)
        return named;
    if (own_file(file)) {
        *strrchr(file, '/') = 0; // realpath gives an absolute path
        for (size_t i = 0; i < sizeof places / sizeof *places; i++)
            if ((size_t)snprintf(path, size, "%s/%s/share/dit/model", file, places[i]) < size && holds_model(path))
                return path;
    }
    return DIT_SOURCE_MODEL;
}
