// tests/io/support.h: what the tests of readers and writers share: scratch folders and assertions about refusals.
#ifndef TESTS_IO_SUPPORT_H
#define TESTS_IO_SUPPORT_H

#include "base/error.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// cmocka.h needs the standard headers above before it.
#include <cmocka.h>

// A refusal: this status, one printable line, and every word of it that the test names.
#define assert_refused(error, wanted, ...)                                                                             \
    assert_refusal(error, wanted, (const char *[]){__VA_ARGS__, NULL}, __FILE__, __LINE__)

static inline void assert_refusal(const dit_error *error, dit_status wanted, const char *const *words, const char *file,
                                  int line)
{
    if (error->status != wanted) {
        print_error("status %d, not %d: %s\n", (int)error->status, (int)wanted, error->message);
        _fail(file, line);
    }
    for (; *words; words++)
        if (!strstr(error->message, *words)) {
            print_error("no \"%s\" in: %s\n", *words, error->message);
            _fail(file, line);
        }
    for (const char *c = error->message; *c; c++)
        if ((unsigned char)*c < ' ') {
            print_error("a control character in: %s\n", error->message);
            _fail(file, line);
        }
}

#define assert_fine(error)                                                                                             \
    do {                                                                                                               \
        if ((error).status) {                                                                                          \
            print_error("refused: %s\n", (error).message);                                                             \
            _fail(__FILE__, __LINE__);                                                                                 \
        }                                                                                                              \
    } while (0)

// A folder of the test's own, emptied and removed by scratch_remove. Flat: it holds files only.
typedef struct scratch {
    char folder[64];
    char path[512]; // the last answer of scratch_path
} scratch;

static inline void scratch_make(scratch *s)
{
    strcpy(s->folder, "/tmp/dit-test-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
}

static inline const char *scratch_path(scratch *s, const char *name)
{
    snprintf(s->path, sizeof s->path, "%s/%s", s->folder, name);
    return s->path;
}

static inline int scratch_files(const scratch *s)
{
    DIR *folder = opendir(s->folder);
    assert_non_null(folder);
    int count = -2; // . and ..
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static inline void scratch_remove(scratch *s)
{
    DIR *folder = opendir(s->folder);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            unlink(scratch_path(s, entry->d_name));
    closedir(folder);
    assert_int_equal(rmdir(s->folder), 0);
}

static inline void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

// The whole file with a 0 after it; freed by the caller.
static inline char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        print_error("cannot open %s\n", path);
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    bytes[*size] = 0;
    fclose(file);
    return bytes;
}

#endif
