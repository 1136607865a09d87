// GGUF files: what the public writer wrote (tools/fixtures/gguf_files.py), what is written here, and what is refused.
#include "io/gguf.h"
#include "io/support.h"

static const char *const PATH = "fixtures/gguf/values.gguf";

static dit_gguf *open_fixture(void)
{
    dit_gguf *file = NULL;
    dit_error error = {0};
    dit_gguf_open(&file, PATH, &error);
    assert_fine(error);
    return file;
}

static int64_t integer(const dit_gguf *file, const char *key, uint64_t index)
{
    int64_t value = 0;
    const dit_gguf_value *v = dit_gguf_metadata(file, key);
    assert_non_null(v);
    assert_true(dit_gguf_integer(v, index, &value));
    return value;
}

static double number(const dit_gguf *file, const char *key, uint64_t index)
{
    double value = 0;
    const dit_gguf_value *v = dit_gguf_metadata(file, key);
    assert_non_null(v);
    assert_true(dit_gguf_number(v, index, &value));
    return value;
}

static void metadata_has_its_types(void **state)
{
    (void)state;
    dit_gguf *file = open_fixture();
    int64_t ignored;
    assert_string_equal(dit_gguf_metadata(file, "general.architecture")->text, "flux");
    assert_int_equal(integer(file, "test.u8", 0), 200);
    assert_int_equal(integer(file, "test.i8", 0), -100);
    assert_int_equal(integer(file, "test.u16", 0), 60000);
    assert_int_equal(integer(file, "test.i16", 0), -30000);
    assert_int_equal(integer(file, "test.u32", 0), UINT32_MAX);
    assert_int_equal(integer(file, "test.i32", 0), INT32_MIN);
    assert_true(number(file, "test.f32", 0) == 0.5);
    assert_int_equal(integer(file, "test.bool", 0), 1);
    assert_string_equal(dit_gguf_metadata(file, "test.text")->text, "größe\n");
    assert_false(dit_gguf_integer(dit_gguf_metadata(file, "test.u64"), 0, &ignored)); // 2^64 - 1
    assert_true(integer(file, "test.i64", 0) == INT64_MIN);
    assert_true(number(file, "test.f64", 0) == 1e-300);
    assert_int_equal(dit_gguf_metadata(file, "test.integers")->count, 3);
    assert_int_equal(integer(file, "test.integers", 1), -4);
    assert_true(number(file, "test.numbers", 1) == -1.5);
    assert_false(dit_gguf_integer(dit_gguf_metadata(file, "test.integers"), 3, &ignored));
    assert_null(dit_gguf_metadata(file, "test.absent"));
    const char *text, *const expected[] = {"a", "", "ccc"};
    size_t length;
    uint64_t cursor = 0, n = 0;
    for (; dit_gguf_next_text(dit_gguf_metadata(file, "test.texts"), &cursor, &text, &length); n++)
        assert_true(length == strlen(expected[n]) && !memcmp(text, expected[n], length));
    assert_int_equal(n, 3);
    dit_gguf_close(file);
}

static void tensors_have_their_values(void **state)
{
    (void)state;
    dit_gguf *file = open_fixture();
    dit_error error = {0};
    dit_array a;
    assert_fine(error);
    dit_gguf_array(file, (size_t)dit_gguf_find(file, "f32"), &a, &error);
    assert_true(a.dtype == DIT_F32 && dit_shape_equal(&a.shape, &DIT_SHAPE(2, 3, 4)));
    for (int i = 0; i < 24; i++)
        assert_true(((float *)a.data)[i] == (float)i / 7 - 5);
    static const char *const quantized[] = {"q8_0", "q4_0", "q4_1", "q5_0", "q5_1"};
    for (int k = 0; k < 5; k++) {
        dit_gguf_array(file, (size_t)dit_gguf_find(file, quantized[k]), &a, &error);
        assert_string_equal(dit_dtype_name(a.dtype), quantized[k]);
        assert_true(dit_shape_equal(&a.shape, &DIT_SHAPE(3, 64)));
        for (int i = 0; i < 3 * 64; i++)
            assert_float_equal(dit_element_get(a.dtype, a.data, i), (double)i / 7 - 5, k ? 2 : 0.1);
    }
    dit_gguf_array(file, (size_t)dit_gguf_find(file, "bf16"), &a, &error);
    assert_true(a.dtype == DIT_BF16 && dit_element_get(a.dtype, a.data, 0) == -5);
    dit_gguf_array(file, (size_t)dit_gguf_find(file, "i64"), &a, &error);
    assert_true(a.dtype == DIT_I64 && *(int64_t *)a.data == INT64_MIN);
    assert_fine(error);
    dit_gguf_array(file, (size_t)dit_gguf_find(file, "i8"), &a, &error);
    assert_refused(&error, DIT_UNSUPPORTED, "\"i8\"", "I8");
    assert_int_equal(dit_gguf_find(file, "absent"), -1);
    dit_gguf_close(file);
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    scratch s;
    dit_error error = {0};
    scratch_make(&s);
    const char *path = scratch_path(&s, "out.gguf");
    float values[64];
    for (int i = 0; i < 64; i++)
        values[i] = (float)i;
    const uint8_t blocks[2 * 34] = {0, 0x3c, 1, 2};
    const dit_safetensors_item items[] = {
        {"scalar", DIT_F32, DIT_SCALAR, values},
        {"odd", DIT_F32, DIT_SHAPE(3), values},
        {"six", DIT_F32, DIT_SHAPE(2, 2, 1, 4, 2, 2), values},
        {"blocks", DIT_Q8_0, DIT_SHAPE(2, 32), blocks},
        {"empty", DIT_F32, DIT_SHAPE(0, 3), values},
    };
    const int32_t list[] = {-7, 8};
    const dit_gguf_field fields[] = {{.key = "general.architecture", .text = "dit"},
                                     {.key = "n", .integer = 3000000000u},
                                     {.key = "list", .list = list, .count = 2}};
    dit_gguf_write(path, items, 5, fields, 3, NULL, NULL, &error);
    assert_fine(error);
    dit_gguf *file = NULL;
    dit_gguf_open(&file, path, &error);
    assert_fine(error);
    assert_int_equal(dit_gguf_count(file), 5);
    assert_string_equal(dit_gguf_metadata(file, "general.architecture")->text, "dit");
    assert_int_equal(integer(file, "n", 0), 3000000000u);
    assert_int_equal(integer(file, "list", 0), -7);
    for (uint64_t i = 0; i < 6; i++)
        assert_int_equal(integer(file, "comfy.gguf.orig_shape.six", i), items[2].shape.dim[i]);
    for (size_t i = 0; i < 5; i++) {
        dit_array a, want = {items[i].dtype, items[i].shape, NULL};
        dit_gguf_array(file, i, &a, &error);
        assert_fine(error);
        assert_string_equal(dit_gguf_at(file, i)->name, items[i].name);
        assert_int_equal(dit_array_bytes(&a), dit_array_bytes(&want));
        assert_true(i == 2 || dit_shape_equal(&a.shape, &items[i].shape));
        assert_memory_equal(a.data, items[i].data, dit_array_bytes(&a));
    }
    const char *copy = scratch_path(&s, "copy.gguf"); // values of one file in another
    dit_gguf *again;
    dit_gguf_field copies[4];
    for (size_t i = 0; i < 4; i++) {
        const dit_gguf_value *v = dit_gguf_metadata_at(file, i);
        copies[i] = (dit_gguf_field){.key = v->key, .copied = v};
    }
    dit_gguf_write(copy, items, 2, copies, 4, NULL, NULL, &error);
    dit_gguf_open(&again, copy, &error);
    assert_fine(error);
    for (size_t i = 0; i < 4; i++) {
        const dit_gguf_value *v = copies[i].copied, *w = dit_gguf_metadata(again, v->key);
        assert_true(w && w->type == v->type && w->list == v->list && w->count == v->count && w->bytes == v->bytes);
        assert_memory_equal(w->data, v->data, v->bytes);
    }
    dit_gguf_close(again);
    assert_true(dit_shape_equal(&(dit_shape){4, {4, 4, 2, 2}},
                                &(dit_shape){dit_gguf_at(file, 2)->rank, {dit_gguf_at(file, 2)->dim[0], 4, 2, 2}}));
    dit_gguf_close(file);
    scratch_remove(&s);
}

static void what_cannot_be_written_is_refused(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    const char *path = scratch_path(&s, "out.gguf");
    float x[32] = {0};
    const struct {
        dit_safetensors_item items[2];
        dit_status status;
        const char *word;
    } cases[] = {
        {{{"a", DIT_BOOL, DIT_SHAPE(1), x}, {"b", DIT_F32, DIT_SHAPE(1), x}}, DIT_UNSUPPORTED, "bool"},
        {{{"a", DIT_F32, DIT_SHAPE(1), x}, {"a", DIT_F32, DIT_SHAPE(1), x}}, DIT_BAD_ARGUMENT, "twice"},
        {{{"", DIT_F32, DIT_SHAPE(1), x}, {"a", DIT_F32, DIT_SHAPE(1), x}}, DIT_BAD_ARGUMENT, "empty"},
        {{{"a", DIT_F32, DIT_SHAPE(1), NULL}, {"b", DIT_F32, DIT_SHAPE(1), x}}, DIT_BAD_ARGUMENT, "no data"},
        {{{"a", DIT_Q8_0, DIT_SHAPE(2, 16), x}, {"b", DIT_F32, DIT_SHAPE(1), x}}, DIT_BAD_ARGUMENT, "rows of 16"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_error error = {0};
        dit_gguf_write(path, cases[i].items, 2, NULL, 0, NULL, NULL, &error);
        assert_refused(&error, cases[i].status, cases[i].word);
        assert_int_equal(access(path, F_OK), -1);
    }
    scratch_remove(&s);
}

// A small file, changed at one place.
struct patch {
    long at; // from the start; negative: from the end
    int bytes;
    uint64_t value;
    dit_status status;
    const char *word;
};

// magic, version, 1 tensor, 1 value; "k" = u32 5; tensor "t": 2 axes (32, 2), Q8_0, offset 0; padding; 68 bytes.
static size_t small_file(unsigned char *b)
{
    size_t n = 0;
#define PUT(bytes, value)                                                                                              \
    do {                                                                                                               \
        for (int i_ = 0; i_ < (bytes); i_++)                                                                           \
            b[n++] = (unsigned char)((uint64_t)(value) >> 8 * i_);                                                     \
    } while (0)
    PUT(4, 0x46554747);
    PUT(4, 3);
    PUT(8, 1);
    PUT(8, 1);
    PUT(8, 1); // 24
    PUT(1, 'k');
    PUT(4, DIT_GGUF_U32); // 33
    PUT(4, 5);
    PUT(8, 1); // 41
    PUT(1, 't');
    PUT(4, 2);  // 50
    PUT(8, 32); // 54
    PUT(8, 2);
    PUT(4, 8); // 70
    PUT(8, 0); // 74
    while (n % 32)
        b[n++] = 0;
    for (int i = 0; i < 68; i++)
        b[n++] = 0;
#undef PUT
    return n;
}

static void malformed_files_are_refused(void **state)
{
    (void)state;
    static const struct patch patches[] = {
        {32, 1, 0xff, DIT_BAD_FILE, "not UTF-8"}, // the key
        {49, 1, 0x80, DIT_BAD_FILE, "not UTF-8"}, // the tensor's name
        {0, 4, 0x46554748, DIT_BAD_FILE, "GGUF"},
        {4, 4, 1, DIT_UNSUPPORTED, "version"},
        {4, 4, 0x03000000, DIT_UNSUPPORTED, "big-endian"},
        {8, 8, UINT64_MAX, DIT_BAD_FILE, "claims"},
        {8, 8, 2, DIT_BAD_FILE, ""},
        {16, 8, 1ull << 40, DIT_BAD_FILE, "claims"},
        {24, 8, 1ull << 40, DIT_BAD_FILE, "longer than the file"},
        {24, 8, UINT64_MAX, DIT_BAD_FILE, "longer than the file"},
        {32, 1, 0, DIT_BAD_FILE, "zero byte"},
        {33, 4, 13, DIT_BAD_FILE, "unknown type"},
        {33, 4, DIT_GGUF_TEXT, DIT_BAD_FILE, ""},
        {33, 4, DIT_GGUF_LIST, DIT_BAD_FILE, ""},
        {50, 4, 5, DIT_BAD_FILE, "5 dimensions"},
        {50, 4, UINT32_MAX, DIT_BAD_FILE, "dimensions"},
        {54, 8, 31, DIT_BAD_FILE, "whole blocks"},
        {54, 8, 1ull << 60, DIT_BAD_FILE, "larger than any memory"},
        {62, 8, 1ull << 61, DIT_BAD_FILE, "larger than any memory"},
        {62, 8, 3, DIT_BAD_FILE, "not within"},
        {70, 4, 4, DIT_UNSUPPORTED, "unknown type 4"},
        {74, 8, 16, DIT_BAD_FILE, "multiple of 32"},
        {74, 8, 32, DIT_BAD_FILE, "not within"},
        {74, 8, UINT64_MAX - 31, DIT_BAD_FILE, "not within"},
    };
    scratch s;
    scratch_make(&s);
    unsigned char bytes[256], changed[256];
    size_t size = small_file(bytes);
    dit_gguf *file = NULL;
    dit_error fine = {0};
    write_file(scratch_path(&s, "fine.gguf"), bytes, size);
    dit_gguf_open(&file, scratch_path(&s, "fine.gguf"), &fine);
    assert_fine(fine);
    assert_int_equal(integer(file, "k", 0), 5);
    dit_gguf_close(file);
    for (size_t i = 0; i < sizeof patches / sizeof *patches; i++) {
        dit_error error = {0};
        memcpy(changed, bytes, size);
        for (int k = 0; k < patches[i].bytes; k++)
            changed[patches[i].at + k] = (unsigned char)(patches[i].value >> 8 * k);
        write_file(scratch_path(&s, "bad.gguf"), changed, size);
        dit_gguf_open(&file, scratch_path(&s, "bad.gguf"), &error);
        assert_refused(&error, patches[i].status, "bad.gguf", patches[i].word);
    }
    for (size_t length = 0; length < size; length++) { // cut short anywhere
        dit_error error = {0};
        write_file(scratch_path(&s, "bad.gguf"), bytes, length);
        dit_gguf_open(&file, scratch_path(&s, "bad.gguf"), &error);
        assert_refused(&error, DIT_BAD_FILE, "bad.gguf");
    }
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metadata_has_its_types),      cmocka_unit_test(tensors_have_their_values),
        cmocka_unit_test(what_is_written_reads_back),  cmocka_unit_test(what_cannot_be_written_is_refused),
        cmocka_unit_test(malformed_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
