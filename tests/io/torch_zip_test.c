// Files by torch.save (tools/fixtures/torch_files.py): every tensor has its values, and nothing else is made of them.
#include "io/safetensors.h"
#include "io/support.h"
#include "io/torch_zip.h"

static dit_torch_zip *open_file(const char *path)
{
    dit_torch_zip *file = NULL;
    dit_error error = {0};
    dit_torch_zip_open(&file, path, &error);
    assert_fine(error);
    return file;
}

static void every_tensor_has_its_values(void **state)
{
    (void)state;
    const char *const paths[] = {"fixtures/torch/values.pt", "fixtures/torch/protocol-4.pt"};
    dit_error error = {0};
    dit_safetensors *expected = NULL;
    dit_safetensors_open(&expected, "fixtures/torch/expected.safetensors", &error);
    assert_fine(error);
    for (int k = 0; k < 2; k++) {
        dit_torch_zip *file = open_file(paths[k]);
        assert_int_equal(dit_torch_zip_count(file), dit_safetensors_count(expected) + 1); // i8
        for (size_t i = 0; i < dit_torch_zip_count(file); i++) {
            const dit_torch_entry *e = dit_torch_zip_at(file, i);
            assert_int_equal(dit_torch_zip_find(file, e->name), i);
            if (e->dtype == DIT_DTYPES)
                continue;
            dit_array want, got;
            dit_safetensors_get(expected, e->name, &want, &error);
            dit_torch_zip_array(file, i, &got, &error);
            assert_fine(error);
            assert_true(got.dtype == want.dtype && dit_shape_equal(&got.shape, &want.shape));
            assert_int_equal(dit_array_bytes(&got), e->bytes);
            assert_memory_equal(got.data, want.data, dit_array_bytes(&want));
        }
        dit_torch_zip_close(file);
    }
    dit_safetensors_close(expected);
}

static void dense_tensors_are_views_of_the_file(void **state)
{
    (void)state;
    dit_torch_zip *file = open_file("fixtures/torch/values.pt");
    dit_error error = {0};
    dit_array whole, rows, columns;
    dit_torch_zip_array(file, (size_t)dit_torch_zip_find(file, "views.whole"), &whole, &error);
    dit_torch_zip_array(file, (size_t)dit_torch_zip_find(file, "views.rows"), &rows, &error);
    dit_torch_zip_array(file, (size_t)dit_torch_zip_find(file, "views.columns"), &columns, &error);
    assert_fine(error);
    assert_ptr_equal((float *)whole.data + 8, rows.data);
    assert_ptr_not_equal((float *)whole.data + 1, columns.data);
    dit_torch_zip_close(file);
}

static void a_training_scripts_options_are_left_out(void **state)
{
    (void)state;
    dit_torch_zip *file = open_file("fixtures/torch/training.pt");
    dit_error error = {0};
    dit_array average;
    dit_torch_zip_array(file, (size_t)dit_torch_zip_find(file, "ema.weight"), &average, &error);
    assert_fine(error);
    assert_float_equal(((float *)average.data)[5], 0.5, 0);
    assert_true(dit_torch_zip_find(file, "model.bias") >= 0 && dit_torch_zip_find(file, "opt.state.0.exp_avg") >= 0);
    for (size_t i = 0; i < dit_torch_zip_count(file); i++)
        assert_true(strncmp(dit_torch_zip_at(file, i)->name, "args", 4) != 0);
    dit_torch_zip_close(file);
}

static void what_is_no_tensor_is_refused_by_name(void **state)
{
    (void)state;
    const struct {
        const char *path;
        dit_status status;
        const char *word;
    } cases[] = {
        {"fixtures/torch/opaque.pt", DIT_UNSUPPORTED, "__main__.Opaque"},
        {"fixtures/torch/legacy.pt", DIT_UNSUPPORTED, "before 1.6"},
        {"fixtures/torch/expected.safetensors", DIT_BAD_FILE, "does not start"},
        {"fixtures/torch/absent.pt", DIT_NO_FILE, "absent.pt"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_torch_zip *file = NULL;
        dit_error error = {0};
        dit_torch_zip_open(&file, cases[i].path, &error);
        assert_refused(&error, cases[i].status, cases[i].word);
    }
    dit_torch_zip *file = open_file("fixtures/torch/values.pt");
    dit_error error = {0};
    dit_array array;
    dit_torch_zip_array(file, (size_t)dit_torch_zip_find(file, "ema.x.i8"), &array, &error);
    assert_refused(&error, DIT_UNSUPPORTED, "int8");
    dit_torch_zip_close(file);
}

static void other_ways_of_saving_open(void **state)
{
    (void)state;
    dit_torch_zip *file = open_file("fixtures/torch/tensor.pt");
    assert_int_equal(dit_torch_zip_count(file), 1);
    assert_string_equal(dit_torch_zip_at(file, 0)->name, "tensor");
    dit_torch_zip_close(file);
    file = open_file("fixtures/torch/state.bin");
    assert_int_equal(dit_torch_zip_count(file), 2);
    assert_string_equal(dit_torch_zip_at(file, 0)->name, "weight");
    dit_torch_zip_close(file);
}

// A file with one pickle: the smallest archive, its checksum right.
static void put(unsigned char **at, int bytes, uint64_t value)
{
    for (int i = 0; i < bytes; i++, value >>= 8)
        *(*at)++ = (unsigned char)value;
}

static uint32_t checksum(const unsigned char *bytes, size_t size)
{
    uint32_t c = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        c ^= bytes[i];
        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (0xedb88320 & -(c & 1));
    }
    return ~c;
}

static size_t archive_of(const void *pickle, size_t size, unsigned char *bytes)
{
    static const char name[] = "a/data.pkl";
    unsigned char *at = bytes;
    uint32_t crc = checksum(pickle, size);
    put(&at, 4, 0x04034b50);
    put(&at, 10, 0);
    put(&at, 4, crc);
    put(&at, 4, size);
    put(&at, 4, size);
    put(&at, 4, 10);
    memcpy(at, name, 10);
    memcpy(at + 10, pickle, size);
    at += 10 + size;
    size_t directory = (size_t)(at - bytes);
    put(&at, 4, 0x02014b50);
    put(&at, 8, 0);
    put(&at, 4, 0);
    put(&at, 4, crc);
    put(&at, 4, size);
    put(&at, 4, size);
    put(&at, 4, 10);
    put(&at, 8, 0);
    put(&at, 6, 0); // attributes and, next, the offset
    memcpy(at, name, 10);
    at += 10;
    size_t length = (size_t)(at - bytes) - directory;
    put(&at, 4, 0x06054b50);
    put(&at, 4, 0);
    put(&at, 4, 0x00010001);
    put(&at, 4, length);
    put(&at, 4, directory);
    put(&at, 2, 0);
    return (size_t)(at - bytes);
}

#define PICKLE(text)                                                                                                   \
    {                                                                                                                  \
        text, sizeof(text) - 1                                                                                         \
    }

static void malformed_pickles_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct {
            const char *text;
            size_t size;
        } pickle;
        dit_status status;
        const char *word;
    } cases[] = {
        {PICKLE("\x80\2}."), DIT_OK, ""},
        {PICKLE("\x80\2}(u."), DIT_OK, ""},
        {PICKLE("\x80\2](e."), DIT_OK, ""},
        {PICKLE(""), DIT_BAD_FILE, "cut short"},
        {PICKLE("\x80\2}"), DIT_BAD_FILE, "cut short"},
        {PICKLE("\x80\2."), DIT_BAD_FILE, "stack is empty"},
        {PICKLE("\x80\2}}."), DIT_BAD_FILE, "left over"},
        {PICKLE("\x80\7}."), DIT_BAD_FILE, "protocol"},
        {PICKLE("\x80\2cos\nsystem\nX\4\0\0\0true\x85R."), DIT_UNSUPPORTED, "os.system"},
        {PICKLE("\x80\4\x8c\2os\x8c\6system\x93."), DIT_UNSUPPORTED, "os.system"},
        {PICKLE("\x80\2ctorch._utils\n_rebuild_tensor_v2\n)R."), DIT_BAD_FILE, "unknown way"},
        {PICKLE("\x80\2}}R."), DIT_BAD_FILE, "unknown way"},
        {PICKLE("\x80\2NNs."), DIT_BAD_FILE, "nothing to add to"},
        {PICKLE("\x80\2NNNs."), DIT_BAD_FILE, "something else"},
        {PICKLE("\x80\2}(NNNu."), DIT_BAD_FILE, "something else"},
        {PICKLE("\x80\2u."), DIT_BAD_FILE, "no mark"},
        {PICKLE("\x80\2h\5."), DIT_BAD_FILE, "recalls"},
        {PICKLE("\x80\2}r\xff\xff\xff\xff."), DIT_BAD_FILE, "beyond all bounds"},
        {PICKLE("\x80\2X\xff\xff\xff\xff"), DIT_BAD_FILE, "longer than the pickle"},
        {PICKLE("\x80\2]q\0h\0a."), DIT_BAD_FILE, "within itself"},
        {PICKLE("\x80\2}q\0X\1\0\0\0kh\0s."), DIT_BAD_FILE, "within itself"},
        // pairs of pairs of pairs: 511 values in 70 bytes
        {PICKLE("\x80\2)q\0"
                "0h\0h\0\x86q\1"
                "0h\1h\1\x86q\2"
                "0h\2h\2\x86q\3"
                "0h\3h\3\x86q\4"
                "0h\4h\4\x86q\5"
                "0h\5h\5\x86q\6"
                "0h\6h\6\x86q\7"
                "0h\7h\7\x86q\10."),
         DIT_BAD_FILE, "without end"},
        {PICKLE("\x80\2(."), DIT_BAD_FILE, "mark"},
        {PICKLE("\x80\2(\x85."), DIT_BAD_FILE, "mark"},
        {PICKLE("\x80\2}(Nu."), DIT_BAD_FILE, "something else"},
        {PICKLE("\x80\2}NNs."), DIT_BAD_FILE, "neither a text"},
        {PICKLE("\x80\2(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"
                "0X\3\0\0\0cpuJ\xff\xff\xff\xfftQ."),
         DIT_BAD_FILE, "storage"},
        {PICKLE("\x80\2i."), DIT_BAD_FILE, "instruction"},
    };
    scratch s;
    scratch_make(&s);
    unsigned char bytes[1000];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_torch_zip *file = NULL;
        dit_error error = {0};
        size_t size = archive_of(cases[i].pickle.text, cases[i].pickle.size, bytes);
        write_file(scratch_path(&s, "x.pt"), bytes, size);
        dit_torch_zip_open(&file, scratch_path(&s, "x.pt"), &error);
        assert_refused(&error, cases[i].status, cases[i].word);
        dit_torch_zip_close(file);
    }
    scratch_remove(&s);
}

// What the pickle of one tensor says, with one of its numbers changed.
static void tensors_stay_within_their_storage(void **state)
{
    (void)state;
    size_t size;
    char *bytes = read_file("fixtures/torch/tensor.pt", &size);
    scratch s;
    scratch_make(&s);
    for (size_t cut = 0; cut < size; cut += cut < 700 ? 1 : 97) {
        dit_torch_zip *file = NULL;
        dit_error error = {0};
        write_file(scratch_path(&s, "x.pt"), bytes, cut);
        dit_torch_zip_open(&file, scratch_path(&s, "x.pt"), &error);
        assert_refused(&error, DIT_BAD_FILE, "x.pt");
    }
    free(bytes);
    // _rebuild_tensor_v2(storage "0" of 3 floats, offset, (size,), (stride,)): the archive holds no such storage.
    static const char pickle[] = "\x80\2ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\n"
                                 "X\1\0\0\0"
                                 "0X\3\0\0\0cpuK\3tQK\0K\3\x85K\1\x85\x89}tR.";
    unsigned char archive[1000];
    dit_torch_zip *file = NULL;
    dit_error error = {0};
    write_file(scratch_path(&s, "x.pt"), archive, archive_of(pickle, sizeof pickle - 1, archive));
    dit_torch_zip_open(&file, scratch_path(&s, "x.pt"), &error);
    assert_refused(&error, DIT_BAD_FILE, "not in the archive");
    // The same in a dict, {b"\xff": tensor}, whose key is no text
    static const char named[] = "\x80\2}X\1\0\0\0\xff"
                                "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\n"
                                "X\1\0\0\0"
                                "0X\3\0\0\0cpuK\3tQK\0K\3\x85K\1\x85\x89}tRs.";
    error = (dit_error){0};
    write_file(scratch_path(&s, "x.pt"), archive, archive_of(named, sizeof named - 1, archive));
    dit_torch_zip_open(&file, scratch_path(&s, "x.pt"), &error);
    assert_refused(&error, DIT_BAD_FILE, "not UTF-8");
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tensor_has_its_values),
        cmocka_unit_test(dense_tensors_are_views_of_the_file),
        cmocka_unit_test(a_training_scripts_options_are_left_out),
        cmocka_unit_test(what_is_no_tensor_is_refused_by_name),
        cmocka_unit_test(other_ways_of_saving_open),
        cmocka_unit_test(malformed_pickles_are_refused),
        cmocka_unit_test(tensors_stay_within_their_storage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
