// Text encoders in GGUF files with llama.cpp's names, written by the public GGUF package
// (tools/fixtures/gguf_texts.py): the outputs of transformers, and refusals.
#include "distance.h"
#include "graph/graph.h"
#include "io/gguf.h"
#include "models/original.h"
#include "models/probe.h"
#include <glob.h>

static void check_file(const char *path)
{
    char inputs[300], outputs[300];
    int folder = (int)(strrchr(path, '/') - path);
    dit_error error = {0};
    dit_probe p;
    dit_safetensors *file;
    dit_array wanted;
    snprintf(inputs, sizeof inputs, "%.*s/inputs.safetensors", folder, path);
    snprintf(outputs, sizeof outputs, "%.*s/outputs.safetensors", folder, path);
    dit_probe_open(&p, path, inputs, &(dit_probe_options){0}, &error);
    if (!error.status)
        dit_probe_run(&p, NULL, NULL, &error);
    assert_fine(error);
    dit_safetensors_open(&file, outputs, &error);
    dit_safetensors_get(file, "last_hidden_state", &wanted, &error);
    assert_fine(error);
    dit_array found = dit_plan_output(p.plan, "last_hidden_state");
    hold("last_hidden_state", path, distance_of(&found, &wanted, 0).largest, 1e-5);
    dit_safetensors_close(file);
    dit_probe_close(&p);
}

static void gguf_files_give_the_states_of_the_public_encoders(void **state)
{
    (void)state;
    enum { CASES = 14 };
    glob_t files;
    assert_int_equal(glob("fixtures/gguf_texts/*/model.gguf", 0, NULL, &files), 0);
    assert_int_equal(files.gl_pathc, CASES);
    for (size_t i = 0; i < files.gl_pathc; i++)
        check_file(files.gl_pathv[i]);
    globfree(&files);
}

// Llama 3.1's scaling is recognised in the numbers that it makes; other numbers stay numbers.
static void scalings_of_positions_are_named_as_published(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"fixtures/gguf_texts/llama-3.1/model.gguf", "llama3"},
                                           {"fixtures/gguf_texts/llama/model.gguf", "factors"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_error error = {0};
        dit_component component;
        dit_component_open(&component, cases[i][0], DIT_F32, &error);
        assert_fine(error);
        dit_json scaling = dit_json_object(dit_json_root(component.json), "rope_scaling", &error);
        assert_string_equal(dit_json_text(scaling, "rope_type", &error), cases[i][1]);
        if (!strcmp(cases[i][1], "llama3"))
            assert_true(dit_json_number(scaling, "factor", 0, 100, &error) == 8);
        assert_fine(error);
        dit_component_close(&component);
    }
}

// A GGUF file with Llama's tensors, of a few features, and this metadata.
static const char *small_llama(scratch *s, dit_shape queries, const dit_gguf_field *fields, size_t count)
{
    static float zeros[64];
    const dit_safetensors_item items[] = {
        {"token_embd.weight", DIT_F32, {2, {4, 8}}, zeros},
        {"blk.0.attn_q.weight", DIT_F32, queries, zeros},
        {"blk.0.ffn_up.weight", DIT_F32, {2, {4, 8}}, zeros},
    };
    dit_error error = {0};
    const char *path = scratch_path(s, "x.gguf");
    dit_gguf_write(path, items, 3, fields, count, NULL, NULL, &error);
    assert_fine(error);
    return path;
}

static void metadata_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    const dit_gguf_field llama = {.key = "general.architecture", .text = "llama"};
    static const int32_t list[] = {1, 2};
    const struct {
        dit_gguf_field field;
        const char *word;
    } cases[] = {
        {{.key = "llama.other", .integer = 1}, "llama.attention.head_count"},
        {{.key = "llama.attention.head_count", .integer = 0}, "division by zero"},
        {{.key = "llama.attention.head_count", .text = "four"}, "no integer"},
        {{.key = "llama.attention.head_count", .list = list, .count = 2}, "no integer"},
        {{.key = "llama.attention.head_count", .integer = UINT32_MAX}, "num_attention_heads"},
        {{.key = "llama.attention.head_count", .integer = 3}, "does not divide"},
    };
    scratch s;
    scratch_make(&s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const dit_gguf_field fields[] = {llama, cases[i].field};
        dit_error error = {0};
        dit_component component;
        dit_component_open(&component, small_llama(&s, DIT_SHAPE(8, 8), fields, 2), DIT_F32, &error);
        assert_refused(&error, DIT_BAD_FILE, "x.gguf", cases[i].word);
        dit_component_close(&component);
    }
    scratch_remove(&s);
}

static void many_rows_of_no_length_are_refused(void **state)
{
    (void)state;
    const dit_gguf_field fields[] = {{.key = "general.architecture", .text = "llama"},
                                     {.key = "llama.attention.head_count", .integer = 4}};
    scratch s;
    dit_error error = {0};
    dit_component component;
    scratch_make(&s);
    const char *path = small_llama(&s, DIT_SHAPE((int64_t)1 << 40, 0), fields, 2);
    dit_component_open(&component, path, DIT_F32, &error);
    assert_refused(&error, DIT_BAD_FILE, "x.gguf", "blk.0.attn_q.weight");
    dit_component_close(&component);
    scratch_remove(&s);
}

static void leading_axes_of_one_may_lack_where_the_file_has_none(void **state)
{
    (void)state;
    float numbers[64] = {0};
    const struct {
        dit_shape stored, needed;
        bool are_short, fits;
    } cases[] = {
        {DIT_SHAPE(4, 16), DIT_SHAPE(1, 4, 16), true, true},  {DIT_SHAPE(4, 16), DIT_SHAPE(1, 1, 4, 16), true, true},
        {DIT_SHAPE(16), DIT_SHAPE(1, 16), true, true},        {DIT_SHAPE(4, 16), DIT_SHAPE(1, 4, 16), false, false},
        {DIT_SHAPE(16, 4), DIT_SHAPE(1, 4, 16), true, false}, {DIT_SHAPE(64), DIT_SHAPE(1, 4, 16), true, false},
        {DIT_SHAPE(4, 16), DIT_SHAPE(4, 16, 1), true, false}, {DIT_SHAPE(1, 4, 16), DIT_SHAPE(4, 16), true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_error error = {0};
        dit_weights *weights = dit_weights_new();
        dit_weights_set_short(weights, cases[i].are_short);
        dit_weights_add(weights, "x", (dit_array){DIT_F32, cases[i].stored, numbers}, false, &error);
        assert_fine(error);
        dit_graph *g = dit_graph_new(weights);
        dit_parameter(g, "x", cases[i].needed, DIT_INITIAL_ZEROS);
        assert_int_equal(dit_graph_error(g)->status, cases[i].fits ? DIT_OK : DIT_BAD_FILE);
        if (cases[i].fits)
            assert_true(dit_shape_equal(&dit_weights_find(weights, "x")->array.shape, &cases[i].needed));
        dit_graph_free(g);
        dit_weights_free(weights);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gguf_files_give_the_states_of_the_public_encoders),
        cmocka_unit_test(scalings_of_positions_are_named_as_published),
        cmocka_unit_test(metadata_that_does_not_fit_is_refused),
        cmocka_unit_test(many_rows_of_no_length_are_refused),
        cmocka_unit_test(leading_axes_of_one_may_lack_where_the_file_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
