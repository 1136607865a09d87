// tests/io/safetensors_test.c: what the reference library writes is read, value for value; hostile files are refused.
#include "io/safetensors.h"
#include "support.h"
#include <sys/stat.h>

#define FIXTURE(name) DIT_SOURCE_DIR "/tests/fixtures/safetensors/" name

// A file of `header` and `data_size` zero bytes.
static void write_tensors(const char *path, const char *header, size_t data_size)
{
    size_t length = strlen(header);
    unsigned char start[8];
    for (int i = 0; i < 8; i++)
        start[i] = (unsigned char)((uint64_t)length >> (8 * i));
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(start, 1, 8, file);
    fwrite(header, 1, length, file);
    for (size_t i = 0; i < data_size; i++)
        fputc(0, file);
    assert_int_equal(fclose(file), 0);
}

static dit_safetensors *opened(const char *path)
{
    dit_safetensors *set = NULL;
    dit_error error = {0};
    dit_safetensors_open(&set, path, &error);
    assert_fine(error);
    return set;
}

static void files_of_the_reference_library_are_read_value_for_value(void **state)
{
    (void)state;
    dit_safetensors *set = opened(FIXTURE("values.safetensors"));
    assert_int_equal(dit_safetensors_count(set), 12);
    assert_string_equal(dit_safetensors_metadata(set, "format"), "pt");
    assert_null(dit_safetensors_metadata(set, "absent"));
    static const struct {
        const char *name, *shape;
        dit_dtype dtype;
        double scale; // element i is i / scale, rounded to the dtype
    } ramps[] = {
        {"f32", "(2, 3, 4)", DIT_F32, 3},          {"f16", "(4, 6)", DIT_F16, 3},
        {"bf16", "(1, 2, 3, 4)", DIT_BF16, 3},     {"f64", "(1, 2, 3, 4, 1)", DIT_F64, 3},
        {"six", "(1, 2, 1, 3, 1, 4)", DIT_F32, 7},
    };
    dit_error error = {0};
    dit_array array;
    char text[160];
    for (size_t i = 0; i < sizeof ramps / sizeof *ramps; i++) {
        dit_safetensors_get(set, ramps[i].name, &array, &error);
        assert_fine(error);
        assert_int_equal(array.dtype, ramps[i].dtype);
        assert_string_equal(dit_shape_text(&array.shape, text), ramps[i].shape);
        assert_int_equal((uintptr_t)array.data % dit_dtype_size(array.dtype), 0);
        for (int j = 0; j < 24; j++) {
            char expected[8];
            dit_element_set(DIT_F32, expected, 0, ramps[i].dtype == DIT_F64 ? 0 : (float)j / (float)ramps[i].scale);
            double value = ramps[i].dtype == DIT_F64 ? j / ramps[i].scale : dit_element_get(DIT_F32, expected, 0);
            dit_element_set(array.dtype, expected, 0, value);
            assert_true(dit_element_get(array.dtype, array.data, j) == dit_element_get(array.dtype, expected, 0));
        }
    }
    dit_safetensors_get(set, "i64", &array, &error);
    assert_memory_equal(array.data, ((int64_t[]){INT64_MIN, -1, 0, INT64_MAX}), 32);
    dit_safetensors_get(set, "i32", &array, &error);
    assert_memory_equal(array.data, ((int32_t[]){INT32_MIN, INT32_MAX}), 8);
    dit_safetensors_get(set, "u8", &array, &error);
    assert_memory_equal(array.data, ((uint8_t[]){0, 127, 255}), 3);
    dit_safetensors_get(set, "bool", &array, &error);
    assert_memory_equal(array.data, ((uint8_t[]){1, 0, 1, 1, 0}), 5);
    dit_safetensors_get(set, "scalar", &array, &error);
    assert_int_equal(array.shape.rank, 0);
    assert_true(*(float *)array.data == 2.5f);
    dit_safetensors_get(set, "empty", &array, &error);
    assert_string_equal(dit_shape_text(&array.shape, text), "(0, 3)");
    dit_safetensors_get(set,
                        "gr\xc3\xb6\xc3\x9f"
                        "e.\"weight\"",
                        &array, &error);
    assert_true(*(float *)array.data == 1.0f);
    assert_fine(error);
    dit_safetensors_get(set, "absent", &array, &error);
    assert_refused(&error, DIT_BAD_FILE, "values.safetensors", "holds no tensor \"absent\"");
    assert_int_equal(dit_safetensors_find(set, "absent"), -1);
    for (size_t i = 0; i < dit_safetensors_count(set); i++)
        assert_int_equal(dit_safetensors_find(set, dit_safetensors_at(set, i)->name), i);
    dit_safetensors_close(set);
}

static void unsupported_tensors_are_named_only_when_used(void **state)
{
    (void)state;
    dit_safetensors *set = opened(FIXTURE("other.safetensors"));
    assert_int_equal(dit_safetensors_count(set), 10);
    dit_error error = {0};
    dit_array array;
    dit_safetensors_get(set, "fine", &array, &error);
    assert_fine(error);
    assert_true(*(float *)array.data == 4.0f);
    dit_safetensors_get(set, "f8_e4m3", &array, &error);
    assert_true(array.dtype == DIT_F8_E4M3 && dit_element_get(array.dtype, array.data, 1) == 2);
    dit_safetensors_get(set, "f8_e5m2", &array, &error);
    assert_true(array.dtype == DIT_F8_E5M2 && dit_element_get(array.dtype, array.data, 1) == 2);
    assert_fine(error);
    static const char *const names[][2] = {{"i8", "I8"},   {"i16", "I16"}, {"u16", "U16"},           {"u32", "U32"},
                                           {"u64", "U64"}, {"c64", "C64"}, {"rank7", "7 dimensions"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        error = (dit_error){0};
        dit_safetensors_get(set, names[i][0], &array, &error);
        assert_refused(&error, DIT_UNSUPPORTED, "other.safetensors", names[i][0], names[i][1]);
    }
    dit_safetensors_close(set);
}

#define T(name, dtype, shape, from, to)                                                                                \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" #from "," #to "]}"

static void hostile_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data;
        const char *word, *other;
    } cases[] = {
        {"", 0, "must start with '{'", "byte 0"},
        {" {}", 0, "must start with '{'", "byte 0"},
        {"[]", 0, "must start with '{'", "byte 0"},
        {"{", 0, "a name must stand here", "byte 1"},
        {"{}x", 0, "follows the header's end", "byte 2"},
        {"{}", 1, "last 1 bytes belong to no tensor", "x.safetensors"},
        {"{,}", 0, "a name must stand here", "byte 1"},
        {"{1:2}", 0, "a name must stand here", "byte 1"},
        {"{\"a\"}", 0, "':' must stand here", "byte 4"},
        {"{\"a\":1}", 0, "a tensor's entry must stand here", "byte 5"},
        {"{\"a\":[]}", 0, "a tensor's entry must stand here", "byte 5"},
        {"{\"a\":{}}", 0, "\"a\"", "must hold a dtype"},
        {"{" T("a", "F32", "1", 0, 4) ",}", 4, "a name must stand here", "header"},
        {"{" T("a", "F32", "1", 0, 4) T("b", "F32", "1", 4, 8) "}", 8, "',' or '}'", "header"},
        {"{" T("a", "F32", "1", 0, 4), 4, "',' or '}'", "header"},
        {"{" T("a", "F32", "1", 0, 4) "," T("a", "F32", "1", 4, 8) "}", 8, "\"a\"", "twice"},
        {"{" T("a", "F32", "1", 0, 4) "," T("a", "F32", "1", 0, 4) "}", 4, "overlap", "\"a\""},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "duplicate",
         "header"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"more\":1}}", 4, "nothing else", "\"a\""},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "two data_offsets", "\"a\""},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, "must hold a dtype", "\"a\""},
        {"{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "must hold a dtype", "\"a\""},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "two data_offsets", "\"a\""},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, "two data_offsets", "\"a\""},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4.0]}}", 4, "two data_offsets", "\"a\""},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{\"0\":0,\"1\":4}}}", 4, "two data_offsets",
         "\"a\""},
        {"{" T("a", "F33", "1", 0, 4) "}", 4, "no dtype \"F33\"", "\"a\""},
        {"{" T("a", "f32", "1", 0, 4) "}", 4, "no dtype \"f32\"", "\"a\""},
        {"{" T("a", "", "1", 0, 4) "}", 4, "no dtype \"\"", "\"a\""},
        {"{" T("a", "F32", "-1", 0, 4) "}", 4, "no extent", "\"a\""},
        {"{" T("a", "F32", "1.0", 0, 4) "}", 4, "no extent", "\"a\""},
        {"{" T("a", "F32", "true", 0, 4) "}", 4, "no extent", "\"a\""},
        {"{" T("a", "F32", "\"1\"", 0, 4) "}", 4, "no extent", "\"a\""},
        {"{" T("a", "F32", "null", 0, 4) "}", 4, "no extent", "\"a\""},
        {"{" T("a", "F32", "[1]", 0, 4) "}", 4, "no extent", "\"a\""},
        {"{" T("a", "F32", "2", 0, 4) "}", 4, "span 4 bytes, but its shape and dtype take 8", "\"a\""},
        {"{" T("a", "F32", "0", 0, 4) "}", 4, "span 4 bytes, but its shape and dtype take 0", "\"a\""},
        {"{" T("a", "F32", "1", 4, 0) "}", 4, "not within the 4 bytes", "[4, 0]"},
        {"{" T("a", "F32", "1", -4, 0) "}", 4, "not within the 4 bytes", "[-4, 0]"},
        {"{" T("a", "F32", "1", 0, 8) "}", 4, "not within the 4 bytes", "[0, 8]"},
        {"{" T("a", "F32", "1", 4, 8) "}", 8, "4 bytes before tensor \"a\" belong to no tensor", "x.safetensors"},
        {"{" T("a", "F32", "1", 0, 4) "," T("b", "F32", "1", 2, 6) "}", 6, "\"a\" and \"b\" overlap", "x.safetensors"},
        {"{" T("a", "F32", "1", 0, 4) "," T("b", "F32", "1", 6, 10) "}", 10, "2 bytes before tensor \"b\"",
         "no tensor"},
        {"{" T("a", "F32", "1", 0, 4) "}", 6, "last 2 bytes", "no tensor"},
        {"{" T("a", "F32", "4294967296,4294967296", 0, 0) "}", 0, "larger than any memory", "\"a\""},
        {"{" T("a", "F32", "9223372036854775807", 0, 4) "}", 4, "larger than any memory", "\"a\""},
        {"{" T("a", "F32", "0,4294967296,4294967296", 0, 0) "}", 0, "larger than any memory", "\"a\""},
        {"{" T("a", "F32", "9223372036854775808", 0, 4) "}", 4, "too big integer", "header"},
        {"{" T("a", "F4", "1", 0, 1) "}", 1, "whole bytes", "\"a\""},
        {"{" T("a", "F6_E2M3", "2", 0, 1) "}", 1, "whole bytes", "\"a\""},
        {"{" T("a\\u0000", "F32", "1", 0, 4) "}", 4, "u0000", "header"},
        {"{" T("\xff", "F32", "1", 0, 4) "}", 4, "unable to decode", "header"},
        {"{\"__metadata__\":[]}", 0, "an object must start here", "header"},
        {"{\"__metadata__\":null}", 0, "an object must start here", "header"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "must be a text", "header"},
        {"{\"__metadata__\":{\"a\":{}}}", 0, "must be a text", "header"},
        {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, "metadata gives \"a\" twice", "x.safetensors"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "\"__metadata__\" is there twice", "header"},
        {"{" T("a\x01\x1b", "F32", "1", 0, 4) "}", 4, "control character", "header"},
        {"{" T("a\\u001b[31m\\n", "F33", "1", 0, 4) "}", 4, "\"a?[31m?\"", "F33"},
    };
    scratch s;
    scratch_make(&s);
    const char *path = scratch_path(&s, "x.safetensors");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_safetensors *set;
        dit_error error = {0};
        write_tensors(path, cases[i].header, cases[i].data);
        dit_safetensors_open(&set, path, &error);
        if (!error.status)
            print_error("accepted: %s\n", cases[i].header);
        assert_refused(&error, DIT_BAD_FILE, path, cases[i].word, cases[i].other);
    }
    scratch_remove(&s);
}

static void cut_and_lying_files_are_refused(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    size_t size;
    char *bytes = read_file(FIXTURE("values.safetensors"), &size);
    const char *path = scratch_path(&s, "x.safetensors");
    dit_safetensors *set;
    dit_error error;
    for (size_t cut = 0; cut < size; cut++) { // every prefix of a good file
        write_file(path, bytes, cut);
        error = (dit_error){0};
        dit_safetensors_open(&set, path, &error);
        assert_refused(&error, DIT_BAD_FILE, path);
    }
    static const struct {
        unsigned char start[8];
        const char *word;
    } lengths[] = {
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "claims a header of 18446744073709551615 bytes"},
        {{0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "claims a header"},
        {{0, 0, 0, 0, 0, 0, 0, 0x80}, "claims a header"},
        {{0, 0, 0, 0, 1, 0, 0, 0}, "claims a header of 4294967296 bytes"},
        {{0, 0, 0, 0, 0, 0, 0, 0}, "must start with '{'"},
        {{'v', 'e', 'r', 's', 'i', 'o', 'n', ' '}, "Git LFS"},
        {{'P', 'K', 3, 4, 0, 0, 8, 8}, "no safetensors file"},
    };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memcpy(bytes, lengths[i].start, 8);
        write_file(path, bytes, size);
        error = (dit_error){0};
        dit_safetensors_open(&set, path, &error);
        assert_refused(&error, DIT_BAD_FILE, path, lengths[i].word);
    }
    // A header of 100,000,001 bytes that the file does have (as a hole on disk).
    unsigned char start[8] = {0x01, 0xe1, 0xf5, 0x05};
    write_file(path, start, 8);
    assert_int_equal(truncate(path, 200000000), 0);
    error = (dit_error){0};
    dit_safetensors_open(&set, path, &error);
    assert_refused(&error, DIT_BAD_FILE, path, "the format allows 100000000");
    free(bytes);
    scratch_remove(&s);
}

static void odd_but_valid_headers_are_read(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    const char *path = scratch_path(&s, "x.safetensors");
    dit_error error = {0};
    dit_array array;
    write_tensors(path, "{}", 0);
    dit_safetensors *set = opened(path);
    assert_int_equal(dit_safetensors_count(set), 0);
    assert_int_equal(dit_safetensors_find(set, ""), -1);
    dit_safetensors_close(set);
    // White space, no padding: the double and the float lie at odd places of the file. Empty tensors between others.
    write_tensors(path,
                  "{ \"__metadata__\" : { } ,\n" T("odd", "U8", "3", 0, 3) " ,\t" T("e2", "F32", "0,2", 3, 3) "," T(
                      "f", "F32", "1", 3, 7) "," T("d", "F64", "1,1", 7, 15) "," T("e1", "U8", "0", 0, 0) " }  ",
                  15);
    set = opened(path);
    assert_int_equal(dit_safetensors_count(set), 5);
    for (size_t i = 0; i < 5; i++) {
        dit_safetensors_array(set, i, &array, &error);
        assert_fine(error);
        assert_non_null(array.data);
        assert_int_equal((uintptr_t)array.data % dit_dtype_size(array.dtype), 0);
    }
    dit_array again;
    dit_safetensors_get(set, "d", &array, &error);
    dit_safetensors_get(set, "d", &again, &error);
    assert_ptr_equal(array.data, again.data);
    dit_safetensors_close(set);
    write_tensors(path, "{" T("b", "BOOL", "4", 0, 4) "}", 0);
    FILE *file = fopen(path, "ab");
    fwrite("\0\1\2\0", 1, 4, file);
    fclose(file);
    set = opened(path);
    dit_safetensors_get(set, "b", &array, &error);
    assert_refused(&error, DIT_BAD_FILE, path, "\"b\" is BOOL, but holds the byte 2");
    dit_safetensors_close(set);
    scratch_remove(&s);
}

static long resident_bytes(void)
{
    long pages = 0, total;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &total, &pages), 2);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static void large_files_are_mapped_released_and_read_again(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    const char *path = scratch_path(&s, "x.safetensors");
    enum { COUNT = 20 << 20 };
    char header[256]; // padded, so that the data is aligned in the map
    snprintf(header, sizeof header, "%-240s",
             "{" T("w", "F32", "20971520", 0, 83886080) "," T("b", "F32", "1", 83886080, 83886084) "}");
    write_tensors(path, header, 0);
    FILE *file = fopen(path, "r+b");
    fseek(file, 8 + 240 + 4L * (COUNT - 1), SEEK_SET);
    fwrite((float[]){1.5f, 2.5f}, 4, 2, file);
    fclose(file);
    dit_safetensors *set = opened(path);
    dit_array w, b;
    dit_error error = {0};
    dit_safetensors_get(set, "w", &w, &error);
    dit_safetensors_get(set, "b", &b, &error);
    assert_fine(error);
    for (int round = 0; round < 2; round++) {
        long before = resident_bytes();
        double sum = 0;
        dit_safetensors_prefetch(set, &w);
        for (int i = 0; i < COUNT; i++)
            sum += ((float *)w.data)[i];
        assert_true(sum == 1.5 && *(float *)b.data == 2.5f);
        assert_true(resident_bytes() - before > 60 << 20);
        dit_safetensors_release(set, &w);
        dit_safetensors_release(set, &b);
        assert_true(resident_bytes() - before < 20 << 20);
    }
    dit_safetensors_close(set);
    scratch_remove(&s);
}

static void sharded_sets_and_folders_are_found(void **state)
{
    (void)state;
    static const char *const paths[] = {FIXTURE("sharded"), FIXTURE("sharded/"),
                                        FIXTURE("sharded/diffusion_pytorch_model.safetensors.index.json")};
    for (size_t i = 0; i < 3; i++) {
        dit_safetensors *set = opened(paths[i]);
        assert_int_equal(dit_safetensors_count(set), 3);
        dit_error error = {0};
        dit_array array;
        dit_safetensors_get(set, "b", &array, &error);
        assert_true(*(float *)array.data == 3.0f);
        dit_safetensors_get(set, "c", &array, &error);
        assert_true(*(int64_t *)array.data == 4);
        assert_fine(error);
        assert_string_equal(dit_safetensors_metadata(set, "format"), "pt");
        assert_non_null(strstr(dit_safetensors_file_of(set, (size_t)dit_safetensors_find(set, "c")), "00002-of-00002"));
        dit_safetensors_close(set);
    }
    scratch s;
    scratch_make(&s);
    dit_safetensors *set;
    dit_error error = {0};
    dit_safetensors_open(&set, s.folder, &error);
    assert_refused(&error, DIT_NO_FILE, s.folder, "holds no weights", "diffusion_pytorch_model.safetensors");
    // Each name takes precedence over those before it.
    static const char *const names[] = {"model.fp16.safetensors", "model.bf16.safetensors", "model.safetensors",
                                        "diffusion_pytorch_model.safetensors"};
    for (size_t i = 0; i < 4; i++) {
        write_tensors(scratch_path(&s, names[i]), "{}", 0);
        set = opened(s.folder);
        assert_string_equal(dit_safetensors_path(set), scratch_path(&s, names[i]));
        dit_safetensors_close(set);
    }
    for (size_t i = 0; i < 4; i++)
        remove(scratch_path(&s, names[i]));
    // Another variant when it is the only one; shards of it are no other.
    assert_false(dit_safetensors_is_in(s.folder));
    write_tensors(scratch_path(&s, "model.ema.safetensors"), "{}", 0);
    write_tensors(scratch_path(&s, "model.ema-00001-of-00002.safetensors"), "{}", 0);
    write_tensors(scratch_path(&s, "model-00001-of-00002.other.safetensors"), "{}", 0);
    assert_true(dit_safetensors_is_in(s.folder));
    set = opened(s.folder);
    assert_string_equal(dit_safetensors_path(set), scratch_path(&s, "model.ema.safetensors"));
    dit_safetensors_close(set);
    write_file(scratch_path(&s, "model.safetensors.index.non_ema.json"), "{}", 2);
    error = (dit_error){0};
    dit_safetensors_open(&set, s.folder, &error);
    assert_refused(&error, DIT_NO_FILE, s.folder, "ema and non_ema", "--variant");
    error = (dit_error){0};
    dit_safetensors_open(&set, scratch_path(&s, "absent"), &error);
    assert_refused(&error, DIT_NO_FILE, "absent: cannot open", "No such file");
    error = (dit_error){0};
    assert_int_equal(mkfifo(scratch_path(&s, "fifo.safetensors"), 0600), 0);
    dit_safetensors_open(&set, s.path, &error);
    assert_refused(&error, DIT_NO_FILE, "fifo.safetensors", "not a regular file");
    scratch_remove(&s);
}

static void hostile_indexes_are_refused(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    write_tensors(scratch_path(&s, "1.safetensors"), "{" T("a", "F32", "1", 0, 4) "," T("b", "F32", "1", 4, 8) "}", 8);
    write_tensors(scratch_path(&s, "2.safetensors"), "{" T("c", "F32", "1", 0, 4) "}", 4);
    write_tensors(scratch_path(&s, "3.safetensors"), "{" T("a", "F32", "1", 0, 4) "}", 4);
    write_tensors(scratch_path(&s, "4.safetensors"), "{" T("d", "F32", "1", 0, 8) "}", 4);
    static const struct {
        const char *index, *word, *other;
        dit_status status;
    } cases[] = {
        {"{", "line 1", "end of file", DIT_BAD_FILE},
        {"[]", "the top level is a list", "weight_map", DIT_BAD_FILE},
        {"{}", "\"weight_map\" is missing", "index.json", DIT_BAD_FILE},
        {"{\"_class_name\":\"X\"}", "no list of shards; name a file of weights", "index.json", DIT_BAD_FILE},
        {"{\"weight_map\":[]}", "must be an object", "weight_map", DIT_BAD_FILE},
        {"{\"weight_map\":{}}", "\"weight_map\" is empty", "index.json", DIT_BAD_FILE},
        {"{\"weight_map\":{\"a\":1}}", "weight_map.a", "must name", DIT_BAD_FILE},
        {"{\"weight_map\":{\"a\":\"\"}}", "weight_map.a", "must name", DIT_BAD_FILE},
        {"{\"weight_map\":{\"a\":\"../1.safetensors\"}}", "same folder", "../1.safetensors", DIT_BAD_FILE},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "same folder", "/etc/passwd", DIT_BAD_FILE},
        {"{\"weight_map\":{\"a\":\"./1.safetensors\"}}", "same folder", "./1.safetensors", DIT_BAD_FILE},
        {"{\"weight_map\":{\"a\":\"1.bin\"}}", "same folder", "1.bin", DIT_BAD_FILE},
        {"{\"weight_map\":{\"a\":\"..\"}}", "same folder", "..", DIT_BAD_FILE},
        {"{\"weight_map\":{\"a\":\".safetensors\"}}", "same folder", ".safetensors", DIT_BAD_FILE},
        {"{\"weight_map\":{\"a\":\"9.safetensors\"}}", "9.safetensors: cannot open", "index.json", DIT_NO_FILE},
        {"{\"weight_map\":{\"a\":\"4.safetensors\"}}", "4.safetensors: tensor \"d\"", "index.json", DIT_BAD_FILE},
        {"{\"weight_map\":{\"a\":\"1.safetensors\"}}", "does not list tensor \"b\"", "1.safetensors", DIT_BAD_FILE},
        {"{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"1.safetensors\",\"x\":\"2.safetensors\"}}", "tensor \"x\"",
         "should be in 2.safetensors, which does not hold it", DIT_BAD_FILE},
        {"{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"2.safetensors\",\"c\":\"2.safetensors\"}}", "tensor \"b\"",
         "should be in 2.safetensors, but is in", DIT_BAD_FILE},
        {"{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"1.safetensors\",\"a2\":\"3.safetensors\"}}", "tensor \"a\"",
         "is also in", DIT_BAD_FILE},
        {"{\"weight_map\":{\"a\":\"1.safetensors\",\"a\":\"1.safetensors\"}}", "duplicate", "line 1", DIT_BAD_FILE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_safetensors *set;
        dit_error error = {0};
        write_file(scratch_path(&s, "m.safetensors.index.json"), cases[i].index, strlen(cases[i].index));
        dit_safetensors_open(&set, s.path, &error);
        assert_refused(&error, cases[i].status, cases[i].word, cases[i].other);
    }
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_the_reference_library_are_read_value_for_value),
        cmocka_unit_test(unsupported_tensors_are_named_only_when_used),
        cmocka_unit_test(hostile_headers_are_refused),
        cmocka_unit_test(cut_and_lying_files_are_refused),
        cmocka_unit_test(odd_but_valid_headers_are_read),
        cmocka_unit_test(large_files_are_mapped_released_and_read_again),
        cmocka_unit_test(sharded_sets_and_folders_are_found),
        cmocka_unit_test(hostile_indexes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
