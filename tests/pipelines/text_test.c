// tests/pipelines/text_test.c: prompts through a tokenizer and a text encoder, one row each.
#include "../io/support.h"
#include "pipelines/pipeline.h"
#include <sys/stat.h>
#include <unistd.h>

#define ENCODER DIT_SOURCE_DIR "/tests/fixtures/models/text_encoders/bert"

static const dit_part_kind parts[] = {{"text_encoder", (const char *const[]){"BertModel", NULL}, false}, {0}};
static const dit_pipeline_class family = {.name = "TestPipeline", .parts = parts};

// Words a to h are ids 5 to 12.
static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\nf\ng\nh\n";

static const char *const files[][2] = {
    {"model_index.json", "{}"},
    {"tokenizer/vocab.txt", vocabulary},
    {"tokenizer_2/vocab.txt", vocabulary},
    {"tokenizer_2/tokenizer_config.json", "{\"tokenizer_class\": \"BertTokenizer\", \"padding_side\": \"left\"}"},
};

static int set_up(void **state)
{
    static char folder[] = "/tmp/text_test_XXXXXX";
    static dit_model model;
    dit_error error = {0};
    char path[100];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/text_encoder", folder);
    assert_int_equal(symlink(ENCODER, path), 0);
    for (int i = 1; i < 3; i++) {
        snprintf(path, sizeof path, "%s/tokenizer%s", folder, i == 1 ? "" : "_2");
        assert_int_equal(mkdir(path, 0700), 0);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i][0]);
        write_file(path, files[i][1], strlen(files[i][1]));
    }
    model = (dit_model){.class = &family, .folder = folder};
    if (!dit_sources_open(&model.sources, folder, NULL, &error) && !dit_model_find_parts(&model, &error))
        dit_model_open_parts(&model, &error);
    assert_fine(error);
    *state = &model;
    return 0;
}

static int tear_down(void **state)
{
    dit_model *model = *state;
    char path[100];
    dit_model_close_parts(model);
    dit_sources_close(model->sources);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", model->folder, files[i][0]);
        unlink(path);
    }
    for (int i = 1; i < 3; i++) {
        snprintf(path, sizeof path, "%s/tokenizer%s", model->folder, i == 1 ? "" : "_2");
        rmdir(path);
    }
    snprintf(path, sizeof path, "%s/text_encoder", model->folder);
    unlink(path);
    return rmdir(model->folder);
}

static const int64_t *ids_of(const dit_arrays *arrays, const char *name, int64_t rows, int64_t length)
{
    const dit_array *a = dit_arrays_find(arrays, name);
    assert_non_null(a);
    assert_int_equal(a->dtype, DIT_I64);
    assert_true(dit_shape_equal(&a->shape, &DIT_SHAPE(rows, length)));
    return a->data;
}

static dit_text_query query_of(const char *const *texts, int count, int length, bool longest)
{
    static const char *const wanted[] = {"last_hidden_state", NULL};
    return (dit_text_query){.tokenizer = "tokenizer",
                            .encoder = "text_encoder",
                            .texts = texts,
                            .count = count,
                            .length = length,
                            .longest = longest,
                            .mask = true,
                            .wanted = wanted};
}

static void texts_are_filled_up_or_cut(void **state)
{
    static const int64_t ids[] = {2, 5, 6, 3, 0, 0, 2, 5, 6, 7, 8, 3}, mask[] = {1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1};
    const dit_text_query q = query_of((const char *const[]){"a b", "a b c d e f g"}, 2, 6, false);
    dit_arrays out = {0};
    dit_error error = {0};
    dit_encode_texts(*state, &q, NULL, &out, &error);
    assert_fine(error);
    assert_memory_equal(ids_of(&out, "input_ids", 2, 6), ids, sizeof ids);
    assert_memory_equal(ids_of(&out, "attention_mask", 2, 6), mask, sizeof mask);
    assert_true(dit_shape_equal(&dit_arrays_find(&out, "last_hidden_state")->shape, &DIT_SHAPE(2, 6, 16)));
    dit_arrays_free(&out);
}

// As SANA's and Lumina 2's pipelines do with Gemma's tokenizer, whose files say "left".
static void padding_is_on_the_right_where_a_family_wants_it(void **state)
{
    static const int64_t left[] = {0, 0, 2, 5, 6, 3}, right[] = {2, 5, 6, 3, 0, 0}, mask[] = {1, 1, 1, 1, 0, 0};
    for (int i = 0; i < 2; i++) {
        dit_text_query q = query_of((const char *const[]){"a b"}, 1, 6, false);
        dit_arrays out = {0};
        dit_error error = {0};
        q.tokenizer = "tokenizer_2";
        q.pads_right = i;
        dit_encode_texts(*state, &q, NULL, &out, &error);
        assert_fine(error);
        assert_memory_equal(ids_of(&out, "input_ids", 1, 6), i ? right : left, sizeof left);
        if (i)
            assert_memory_equal(ids_of(&out, "attention_mask", 1, 6), mask, sizeof mask);
        dit_arrays_free(&out);
    }
}

// With a mask, padding changes nothing for the tokens.
static void rows_as_long_as_the_longest_text_give_the_same_states(void **state)
{
    static const int64_t ids[] = {2, 5, 6, 7, 3, 2, 12, 3, 0, 0};
    const char *const texts[] = {"a b c", "h"};
    const dit_text_query full = query_of(texts, 2, 9, false), longest = query_of(texts, 2, 9, true);
    dit_arrays a = {0}, b = {0};
    dit_error error = {0};
    dit_encode_texts(*state, &full, NULL, &a, &error);
    dit_encode_texts(*state, &longest, NULL, &b, &error);
    assert_fine(error);
    assert_memory_equal(ids_of(&b, "input_ids", 2, 5), ids, sizeof ids);
    const float *x = dit_arrays_find(&a, "last_hidden_state")->data,
                *y = dit_arrays_find(&b, "last_hidden_state")->data;
    for (int t = 0; t < 5; t++)
        for (int c = 0; c < 16; c++)
            assert_float_equal(x[t * 16 + c], y[t * 16 + c], 1e-5f);
    for (int t = 0; t < 3; t++) // of the second text
        for (int c = 0; c < 16; c++)
            assert_float_equal(x[(9 + t) * 16 + c], y[(5 + t) * 16 + c], 1e-5f);
    dit_arrays_free(&a);
    dit_arrays_free(&b);
}

static void a_text_that_does_not_encode_names_its_flag(void **state)
{
    const dit_text_query q = query_of((const char *const[]){"a", "\xff"}, 2, 6, true);
    dit_arrays out = {0};
    dit_error error = {0};
    assert_int_equal(dit_encode_texts(*state, &q, NULL, &out, &error), DIT_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "--negative-prompt"));
    dit_arrays_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_filled_up_or_cut),
        cmocka_unit_test(padding_is_on_the_right_where_a_family_wants_it),
        cmocka_unit_test(rows_as_long_as_the_longest_text_give_the_same_states),
        cmocka_unit_test(a_text_that_does_not_encode_names_its_flag),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
