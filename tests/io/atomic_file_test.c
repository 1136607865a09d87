// tests/io/atomic_file_test.c: a file appears whole or not at all, and keeps what belonged to the one it replaces.
#include "io/atomic_file.h"
#include "io/file.h"
#include "support.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

static void check_content(const char *path, const char *expected)
{
    size_t size;
    char *bytes = read_file(path, &size);
    assert_string_equal(bytes, expected);
    free(bytes);
}

static void nothing_shows_before_the_commit(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    const char *path = scratch_path(&s, "out.png");
    dit_atomic_file *file;
    dit_error error = {0};
    for (int existing = 0; existing < 2; existing++) {
        dit_atomic_file_open(&file, path, &error);
        dit_atomic_file_write(file, "first", 5, &error);
        assert_fine(error);
        assert_int_equal(access(path, F_OK), existing ? 0 : -1);
        if (existing)
            check_content(path, "first second");
        dit_atomic_file_abort(file);
        assert_int_equal(scratch_files(&s), existing);
        dit_atomic_file_open(&file, path, &error);
        dit_atomic_file_write(file, "first", 5, &error);
        dit_atomic_file_write(file, "", 0, &error);
        dit_atomic_file_write(file, " second", 7, &error);
        dit_atomic_file_commit(file, &error);
        assert_fine(error);
        check_content(path, "first second");
        assert_int_equal(scratch_files(&s), 1);
    }
    dit_atomic_file_abort(NULL);
    scratch_remove(&s);
}

static void large_writes_arrive_in_order(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    const char *path = scratch_path(&s, "out");
    enum { SIZE = 3 << 20 };
    unsigned char *bytes = malloc(SIZE);
    assert_non_null(bytes);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (unsigned char)(i * 2654435761u >> 13);
    dit_atomic_file *file;
    dit_error error = {0};
    dit_atomic_file_open(&file, path, &error);
    size_t steps[] = {1, 100000, 262143, 262144, 262145, 7, 1000000}, at = 0;
    for (size_t i = 0; at < SIZE; i++) {
        size_t n = steps[i % 7] < SIZE - at ? steps[i % 7] : SIZE - at;
        dit_atomic_file_write(file, bytes + at, n, &error);
        at += n;
    }
    dit_atomic_file_commit(file, &error);
    assert_fine(error);
    size_t size;
    char *read = read_file(path, &size);
    assert_int_equal(size, SIZE);
    assert_memory_equal(read, bytes, SIZE);
    free(read);
    free(bytes);
    scratch_remove(&s);
}

static void links_and_permissions_survive(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    char target[600], link[600];
    strcpy(target, scratch_path(&s, "target"));
    strcpy(link, scratch_path(&s, "link"));
    write_file(target, "old", 3);
    assert_int_equal(chmod(target, 0640), 0);
    assert_int_equal(symlink("target", link), 0);
    dit_error error = {0};
    dit_atomic_file_save(link, "new", 3, &error);
    assert_fine(error);
    struct stat info;
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(stat(target, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    check_content(target, "new");
    mode_t mask = umask(027);
    dit_atomic_file_save(scratch_path(&s, "fresh"), "new", 3, &error);
    umask(mask);
    assert_fine(error);
    assert_int_equal(stat(s.path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    scratch_remove(&s);
}

static void impossible_paths_are_refused(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    dit_error error = {0};
    dit_atomic_file_save(scratch_path(&s, "no/such/folder/x"), "new", 3, &error);
    assert_refused(&error, DIT_NO_FILE, s.path, "No such file");
    error = (dit_error){0};
    dit_atomic_file_save(scratch_path(&s, "absent/"), "new", 3, &error);
    assert_refused(&error, DIT_NO_FILE, s.path, "is no folder");
    error = (dit_error){0};
    dit_atomic_file_save(s.folder, "new", 3, &error);
    assert_refused(&error, DIT_NO_FILE, s.folder, "is a folder");
    error = (dit_error){0};
    dit_atomic_file_save("", "new", 3, &error);
    assert_refused(&error, DIT_BAD_ARGUMENT, "empty");
    error = (dit_error){0};
    assert_int_equal(mkfifo(scratch_path(&s, "fifo"), 0600), 0);
    dit_atomic_file_save(s.path, "new", 3, &error); // nobody reads it: no waiting
    assert_refused(&error, DIT_NO_FILE, s.path, "cannot open for writing");
    char name[400];
    memset(name, 'x', 255);
    name[255] = 0; // the longest name there is
    error = (dit_error){0};
    dit_atomic_file_save(scratch_path(&s, name), "new", 3, &error);
    assert_fine(error);
    memset(name, 'x', 300);
    name[300] = 0;
    dit_atomic_file_save(scratch_path(&s, name), "new", 3, &error);
    assert_refused(&error, DIT_NO_FILE, "too long");
    assert_int_equal(scratch_files(&s), 2);
    scratch_remove(&s);
}

static void pipes_are_written_through(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    char path[64], bytes[4] = "";
    snprintf(path, sizeof path, "/dev/fd/%d", ends[1]);
    dit_error error = {0};
    dit_atomic_file_save(path, "new", 3, &error);
    assert_fine(error);
    assert_int_equal(read(ends[0], bytes, 3), 3);
    assert_string_equal(bytes, "new");
    // A reader that goes away is an error, not a signal.
    dit_atomic_file *file;
    dit_atomic_file_open(&file, path, &error);
    assert_fine(error);
    close(ends[0]);
    dit_atomic_file_write(file, "new", 3, &error);
    dit_atomic_file_commit(file, &error);
    assert_refused(&error, DIT_NO_FILE, path, "Broken pipe");
    close(ends[1]);
    sigset_t pending;
    assert_int_equal(sigpending(&pending), 0);
    assert_int_equal(sigismember(&pending, SIGPIPE), 0);
}

static void reading_is_bounded(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    write_file(scratch_path(&s, "in"), "12345", 5);
    char *bytes;
    size_t size;
    dit_error error = {0};
    dit_file_read(s.path, 5, &bytes, &size, &error);
    assert_fine(error);
    assert_int_equal(size, 5);
    assert_string_equal(bytes, "12345");
    free(bytes);
    dit_file_read(s.path, 4, &bytes, &size, &error);
    assert_refused(&error, DIT_BAD_FILE, s.path, "has 5 bytes; a file of this kind has at most 4");
    error = (dit_error){0};
    int fd;
    uint64_t length;
    dit_file_open(s.path, &fd, &length, &error);
    char four[4];
    dit_file_read_at(fd, s.path, four, 4, 1, &error);
    assert_fine(error);
    assert_memory_equal(four, "2345", 4);
    dit_file_read_at(fd, s.path, four, 4, 3, &error);
    assert_refused(&error, DIT_BAD_FILE, s.path, "ends 2 bytes early");
    close(fd);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_shows_before_the_commit), cmocka_unit_test(large_writes_arrive_in_order),
        cmocka_unit_test(links_and_permissions_survive),   cmocka_unit_test(impossible_paths_are_refused),
        cmocka_unit_test(pipes_are_written_through),       cmocka_unit_test(reading_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
