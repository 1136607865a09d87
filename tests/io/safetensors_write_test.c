// tests/io/safetensors_write_test.c: written files are the reference library's to the byte, whole or not there.
#include "io/safetensors.h"
#include "support.h"
#include <sys/resource.h>

#define FIXTURE(name) DIT_SOURCE_DIR "/tests/fixtures/safetensors/" name

// Reads a file and writes it again.
static void copy_tensors(const char *from, const char *to, dit_safetensors_produce produce, dit_error *error)
{
    dit_safetensors *set;
    dit_safetensors_item items[64];
    dit_text_pair metadata[4];
    dit_safetensors_open(&set, from, error);
    assert_fine(*error);
    size_t count = dit_safetensors_count(set);
    for (size_t i = 0; i < count; i++) { // last to first: the writer sorts
        dit_array array;
        dit_safetensors_array(set, count - 1 - i, &array, error);
        items[i] = (dit_safetensors_item){dit_safetensors_at(set, count - 1 - i)->name, array.dtype, array.shape,
                                          produce ? NULL : array.data};
    }
    for (size_t i = 0; i < dit_safetensors_metadata_count(set); i++)
        metadata[i] = dit_safetensors_metadata_at(set, i);
    dit_safetensors_write(to, items, count, metadata, dit_safetensors_metadata_count(set), produce, set, error);
    dit_safetensors_close(set);
}

static dit_status produce_from_set(void *set, size_t index, const void **data, dit_error *error)
{
    dit_array array;
    dit_status status = dit_safetensors_array(set, dit_safetensors_count(set) - 1 - index, &array, error);
    *data = array.data;
    return status;
}

static void written_files_equal_the_reference_librarys_to_the_byte(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    size_t expected_size, size;
    char *expected = read_file(FIXTURE("values.safetensors"), &expected_size);
    for (int produced = 0; produced < 2; produced++) {
        dit_error error = {0};
        const char *path = scratch_path(&s, "copy.safetensors");
        copy_tensors(FIXTURE("values.safetensors"), path, produced ? produce_from_set : NULL, &error);
        assert_fine(error);
        char *bytes = read_file(path, &size);
        assert_int_equal(size, expected_size);
        assert_memory_equal(bytes, expected, size);
        free(bytes);
    }
    assert_int_equal(scratch_files(&s), 1);
    free(expected);
    scratch_remove(&s);
}

static dit_status fail_at_second(void *context, size_t index, const void **data, dit_error *error)
{
    static const float zeros[1000];
    *data = zeros;
    ++*(int *)context;
    (void)index;
    return *(int *)context == 2 ? dit_fail(error, DIT_CANCELLED, "stopped by the test") : DIT_OK;
}

static void failures_leave_the_old_file_and_nothing_else(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    const char *path = scratch_path(&s, "x.safetensors");
    write_file(path, "old", 3);
    static float data[1 << 20];
    const dit_shape four = DIT_SHAPE(4), large = DIT_SHAPE(1 << 20);
    const dit_text_pair twice[] = {{"k", "1"}, {"k", "2"}}, not_utf8[] = {{"k", "\xff"}};
    const struct {
        dit_safetensors_item items[2];
        size_t count;
        const dit_text_pair *metadata;
        size_t metadata_count;
        dit_safetensors_produce produce;
        dit_status status;
        const char *word;
    } cases[] = {
        {{{"a", DIT_F32, four, data}, {"a", DIT_F32, four, data}}, 2, NULL, 0, NULL, DIT_BAD_ARGUMENT, "twice"},
        {{{"__metadata__", DIT_F32, four, data}}, 1, NULL, 0, NULL, DIT_BAD_ARGUMENT, "cannot be a tensor's name"},
        {{{"", DIT_F32, four, data}}, 1, NULL, 0, NULL, DIT_BAD_ARGUMENT, "cannot be a tensor's name"},
        {{{"\xff", DIT_F32, four, data}}, 1, NULL, 0, NULL, DIT_BAD_ARGUMENT, "UTF-8"},
        {{{"a", DIT_F32, four, NULL}}, 1, NULL, 0, NULL, DIT_BAD_ARGUMENT, "\"a\" has no data"},
        {{{"a", DIT_F32, DIT_SHAPE(-4), data}}, 1, NULL, 0, NULL, DIT_BAD_ARGUMENT, "negative"},
        {{{"a", DIT_F32, four, data}}, 1, twice, 2, NULL, DIT_BAD_ARGUMENT, "\"k\" is to be written twice"},
        {{{"a", DIT_F32, four, data}}, 1, not_utf8, 1, NULL, DIT_BAD_ARGUMENT, "UTF-8"},
        {{{"a", DIT_F32, four, NULL}, {"b", DIT_F32, four, NULL}},
         2,
         NULL,
         0,
         fail_at_second,
         DIT_CANCELLED,
         "stopped"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int calls = 0;
        dit_error error = {0};
        dit_safetensors_write(path, cases[i].items, cases[i].count, cases[i].metadata, cases[i].metadata_count,
                              cases[i].produce, &calls, &error);
        assert_refused(&error, cases[i].status, cases[i].word);
        assert_int_equal(scratch_files(&s), 1);
    }
    // A file-size limit stands for a full disk.
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){1 << 20, before.rlim_max};
    dit_safetensors_item item = {"a", DIT_F32, large, data};
    dit_error error = {0};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    dit_safetensors_write(path, &item, 1, NULL, 0, NULL, NULL, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_refused(&error, DIT_NO_MEMORY, path, "file-size limit");
    assert_int_equal(scratch_files(&s), 1);
    size_t size;
    char *old = read_file(path, &size);
    assert_string_equal(old, "old");
    free(old);
    scratch_remove(&s);
}

static void a_full_device_is_reported(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK))
        skip();
    float data[4] = {0};
    dit_safetensors_item item = {"a", DIT_F32, DIT_SHAPE(4), data};
    dit_error error = {0};
    dit_safetensors_write("/dev/full", &item, 1, NULL, 0, NULL, NULL, &error);
    assert_refused(&error, DIT_NO_MEMORY, "/dev/full: cannot write", "No space left");
    assert_int_equal(access("/dev/full", W_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_files_equal_the_reference_librarys_to_the_byte),
        cmocka_unit_test(failures_leave_the_old_file_and_nothing_else),
        cmocka_unit_test(a_full_device_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
