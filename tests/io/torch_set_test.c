// Sets of files by torch.save with an index: tensors of each file, and indices that do not fit.
#include "io/support.h"
#include "io/tensor_file.h"
#include "io/torch_set.h"

#define STATE "fixtures/torch/state.bin"
#define SINGLE "fixtures/torch/tensor.pt"

// A copy in the scratch folder.
static void copy(scratch *s, const char *from, const char *name)
{
    char bytes[8192];
    FILE *in = fopen(from, "rb"), *out = fopen(scratch_path(s, name), "wb");
    assert_true(in && out);
    size_t size = fread(bytes, 1, sizeof bytes, in);
    assert_true(size > 0 && size < sizeof bytes && fwrite(bytes, 1, size, out) == size);
    fclose(in);
    fclose(out);
}

static void write_text(scratch *s, const char *name, const char *text)
{
    FILE *out = fopen(scratch_path(s, name), "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

// The index of STATE as a.bin and SINGLE as b.bin, with `last` for the one tensor of the latter.
static const char *index_with(const char *last)
{
    static char text[2000];
    dit_error error = {0};
    dit_torch_zip *state;
    dit_torch_zip_open(&state, STATE, &error);
    assert_fine(error);
    size_t n = (size_t)snprintf(text, sizeof text, "{\"metadata\": {}, \"weight_map\": {");
    for (size_t i = 0; i < dit_torch_zip_count(state); i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "\"%s\": \"a.bin\", ", dit_torch_zip_at(state, i)->name);
    snprintf(text + n, sizeof text - n, "%s}}", last);
    dit_torch_zip_close(state);
    return text;
}

static void tensors_come_from_their_files(void **state)
{
    (void)state;
    scratch s;
    dit_error error = {0};
    scratch_make(&s);
    copy(&s, STATE, "a.bin");
    copy(&s, SINGLE, "b.bin");
    write_text(&s, "pytorch_model.bin.index.json", index_with("\"tensor\": \"b.bin\""));
    dit_tensor_file *set, *single, *first;
    dit_tensor_file_open(&set, s.folder, &error); // the folder holds no other weights
    dit_tensor_file_open(&single, SINGLE, &error);
    dit_tensor_file_open(&first, STATE, &error);
    assert_fine(error);
    assert_int_equal(dit_tensor_file_count(set), dit_tensor_file_count(first) + 1);
    for (size_t i = 0; i < dit_tensor_file_count(set); i++) {
        const char *name = dit_tensor_file_at(set, i).name;
        bool last = !strcmp(name, "tensor");
        dit_tensor_file *of = last ? single : first;
        dit_array got, wanted;
        assert_int_equal(dit_tensor_file_find(set, name), i);
        assert_non_null(strstr(dit_tensor_file_of(set, i), last ? "b.bin" : "a.bin"));
        dit_tensor_file_array(set, i, &got, &error);
        dit_tensor_file_array(of, (size_t)dit_tensor_file_find(of, name), &wanted, &error);
        assert_fine(error);
        assert_true(got.dtype == wanted.dtype && dit_shape_equal(&got.shape, &wanted.shape));
        assert_memory_equal(got.data, wanted.data, dit_array_bytes(&wanted));
        dit_tensor_file_prefetch(set, &got);
        dit_tensor_file_release(set, &got);
        assert_memory_equal(got.data, wanted.data, dit_array_bytes(&wanted)); // read again
    }
    assert_int_equal(dit_tensor_file_find(set, "absent"), -1);
    dit_tensor_file_close(set);
    dit_tensor_file_close(single);
    dit_tensor_file_close(first);
    scratch_remove(&s);
}

static void indices_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *last, *word; // NULL: no list of tensors at all
        dit_status status;
    } cases[] = {
        {"\"tensor\": \"b.bin\", \"ghost\": \"b.bin\"", "\"ghost\" should be in b.bin", DIT_BAD_FILE},
        {"\"tensor\": \"a.bin\"", "\"tensor\" should be in a.bin", DIT_BAD_FILE},
        {"\"tensor\": \"c.bin\"", "c.bin: cannot open", DIT_NO_FILE},
        {"\"tensor\": \"../b.bin\"", "in the same folder", DIT_BAD_FILE},
        {"\"tensor\": 3", "in the same folder", DIT_BAD_FILE},
        {"\"tensor\": \"torn.bin\"", "torn.bin", DIT_BAD_FILE},
        {NULL, "weight_map", DIT_BAD_FILE},
    };
    scratch s;
    scratch_make(&s);
    copy(&s, STATE, "a.bin");
    copy(&s, SINGLE, "b.bin");
    write_text(&s, "torn.bin", "PK\3\4 and no more");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_error error = {0};
        dit_torch_set *set;
        write_text(&s, "m.bin.index.json", cases[i].last ? index_with(cases[i].last) : "{\"metadata\": {}}");
        dit_torch_set_open(&set, s.path, &error);
        assert_refused(&error, cases[i].status, "m.bin.index.json", cases[i].word);
    }
    // A tensor of a file that the index leaves out
    dit_error error = {0};
    dit_torch_set *set;
    write_text(&s, "m.bin.index.json", "{\"weight_map\": {\"tensor\": \"b.bin\", \"weight\": \"a.bin\"}}");
    dit_torch_set_open(&set, s.path, &error);
    assert_refused(&error, DIT_BAD_FILE, "does not list", "\"bias\"", "a.bin");
    assert_true(dit_is_torch_index("a/pytorch_model.bin.index.json") && dit_is_torch_index("m.bin.index.fp16.json"));
    assert_false(dit_is_torch_index("m.safetensors.index.json") || dit_is_torch_index("x.bin.index.d/m.bin"));
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_come_from_their_files),
        cmocka_unit_test(indices_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
