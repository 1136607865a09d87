// Low-rank adapters against networks whose weights hold them (tools/fixtures/lora.py), and what is refused.
#include "base/cast.h"
#include "io/support.h"
#include "models/distance.h"
#include "models/lora.h"
#include "models/probe.h"
#include "nn/nn.h"

#define FOLDER "fixtures/lora"

static double distance_with(const char *lora, double strength, const char *outputs)
{
    dit_error error = {0};
    dit_probe p;
    dit_safetensors *file;
    dit_array wanted;
    const dit_probe_options options = {.lora = lora, .lora_strength = strength};
    dit_probe_open(&p, FOLDER "/model", FOLDER "/inputs.safetensors", &options, &error);
    if (!error.status)
        dit_probe_run(&p, NULL, NULL, &error);
    assert_fine(error);
    dit_safetensors_open(&file, outputs, &error);
    dit_safetensors_get(file, "sample", &wanted, &error);
    assert_fine(error);
    dit_array got = dit_plan_output(p.plan, "sample");
    double d = distance_of(&got, &wanted, 0).largest;
    dit_safetensors_close(file);
    dit_probe_close(&p);
    return d;
}

static void adapters_are_merged_by_their_definition(void **state)
{
    (void)state;
    assert_true(distance_with(FOLDER "/kohya.safetensors", 0.8, FOLDER "/outputs.safetensors") < 1e-5);
    assert_true(distance_with(FOLDER "/kohya.safetensors", 0.7, FOLDER "/outputs.safetensors") > 1e-3);
    assert_true(distance_with(FOLDER "/dora.safetensors", 1, FOLDER "/dora.outputs.safetensors") < 1e-5);
}

// A small set of weights: `layer`, (4, 32), in `dtype`.
static dit_weights *small_weights(dit_dtype dtype)
{
    dit_error error = {0};
    dit_array a;
    float x[4 * 32];
    dit_weights *weights = dit_weights_new();
    for (int i = 0; i < 4 * 32; i++)
        x[i] = (float)i / 8;
    dit_array_alloc(&a, dtype, DIT_SHAPE(4, 32), &error);
    dit_cast_floats(dtype, a.data, DIT_F32, x, 4 * 32);
    dit_weights_add(weights, "layer.weight", a, true, &error);
    assert_fine(error);
    return weights;
}

static void several_add_up_in_floats_and_lie_beside_blocks(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    float down[2 * 32], up[4 * 2], alpha = 1;
    for (int i = 0; i < 2 * 32; i++)
        down[i] = (float)(i % 5);
    for (int i = 0; i < 4 * 2; i++)
        up[i] = (float)i;
    const dit_safetensors_item items[] = {{"lora_unet_layer.lora_down.weight", DIT_F32, DIT_SHAPE(2, 32), down},
                                          {"lora_unet_layer.lora_up.weight", DIT_F32, DIT_SHAPE(4, 2), up},
                                          {"lora_unet_layer.alpha", DIT_F32, DIT_SCALAR, &alpha}};
    dit_error error = {0};
    int applied;
    dit_safetensors_write(scratch_path(&s, "x.safetensors"), items, 3, NULL, 0, NULL, NULL, &error);
    dit_weights *floats = small_weights(DIT_F32), *blocks = small_weights(DIT_Q8_0);
    for (int k = 0; k < 2; k++) {
        dit_lora_apply(floats, "X", &(dit_lora){s.path, .part = DIT_LORA_TRANSFORMER, .strength = 0.5}, &applied,
                       &error);
        dit_lora_apply(blocks, "X", &(dit_lora){s.path, .part = DIT_LORA_TRANSFORMER, .strength = 0.5}, &applied,
                       &error);
        assert_int_equal(applied, 1);
    }
    assert_fine(error);
    const float *merged = dit_weights_find(floats, "layer.weight")->array.data;
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 32; j++) { // twice 0.5 * alpha / rank
            float sum = up[2 * i] * down[j] + up[2 * i + 1] * down[32 + j];
            assert_float_equal(merged[32 * i + j], (float)(32 * i + j) / 8 + 0.5f * sum, 1e-5);
        }
    assert_int_equal(dit_weights_count(floats), 1);
    assert_int_equal(dit_weights_count(blocks), 5);
    const dit_weight *second = dit_weights_find(blocks, "layer.lora.1.up.weight");
    assert_true(second && dit_shape_equal(&second->array.shape, &DIT_SHAPE(4, 2)));
    assert_float_equal(((float *)second->array.data)[3], 0.25 * 3, 1e-6);
    dit_lora_apply(floats, "X", &(dit_lora){s.path, .part = DIT_LORA_TEXT_ENCODER, .strength = 0.5}, &applied, &error);
    assert_fine(error);
    assert_int_equal(applied, 0); // the file has none for it
    dit_weights_free(floats);
    dit_weights_free(blocks);
    scratch_remove(&s);
}

static bool always_mapped(void *context, const dit_array *array)
{
    (void)context;
    (void)array;
    return true;
}

// What a linear layer of these weights makes of three rows.
static void linear_outputs(dit_weights *weights, float y[3 * 4])
{
    dit_error error = {0};
    dit_plan *plan = NULL;
    dit_graph *g = dit_graph_new(weights);
    dit_output(g, "y", nn_linear(g, "layer", dit_input(g, "x", DIT_F32, DIT_SHAPE(3, 32)), 4, true));
    dit_plan_new(g, weights, NULL, &plan, &error);
    assert_fine(error);
    dit_weights_check_all_used(weights, NULL, &error);
    assert_fine(error);
    for (int i = 0; i < 3 * 32; i++)
        ((float *)dit_plan_input(plan, "x").data)[i] = (float)(i * 7 % 11 - 5) / 8;
    dit_plan_run(plan, NULL, NULL, &error);
    assert_fine(error);
    memcpy(y, dit_plan_output(plan, "y").data, 3 * 4 * sizeof *y);
    dit_plan_free(plan);
    dit_graph_free(g);
}

static void add_bias_to(dit_weights *weights)
{
    dit_error error = {0};
    dit_weights_create(weights, "layer.bias", DIT_SHAPE(4), &error);
    assert_fine(error);
    for (int i = 0; i < 4; i++)
        ((float *)dit_weights_find(weights, "layer.bias")->array.data)[i] = (float)(3 - i);
}

// LoRA, DoRA, whose V holds what the first did, and LoRA again, which its magnitudes do not touch, nor the bias.
static void beside_a_weight_they_do_what_they_do_merged(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    dit_error error = {0};
    float down[2 * 32], up[4 * 2], magnitude[4] = {1, -2, 0.5f, 30}, merged[3 * 4], decoded[4 * 32];
    for (int i = 0; i < 2 * 32; i++)
        down[i] = (float)(i % 5) - 1;
    for (int i = 0; i < 4 * 2; i++)
        up[i] = (float)i - 3;
    const dit_safetensors_item items[] = {{"layer.lora_A.weight", DIT_F32, DIT_SHAPE(2, 32), down},
                                          {"layer.lora_B.weight", DIT_F32, DIT_SHAPE(4, 2), up},
                                          {"layer.lora_magnitude_vector", DIT_F32, DIT_SHAPE(4), magnitude}};
    dit_weights *sets[3] = {small_weights(DIT_F32), small_weights(DIT_Q8_0), dit_weights_new()};
    dit_cast_floats(DIT_F32, decoded, DIT_Q8_0, dit_weights_find(sets[1], "layer.weight")->array.data, 4 * 32);
    memcpy(dit_weights_find(sets[0], "layer.weight")->array.data, decoded, sizeof decoded);
    dit_weights_add(sets[2], "layer.weight", (dit_array){DIT_F32, DIT_SHAPE(4, 32), decoded}, false, &error);
    dit_weights_set_pager(sets[2], &(dit_weights_pager){.is_mapped = always_mapped});
    for (int k = 0; k < 3; k++) {
        int applied;
        dit_safetensors_write(scratch_path(&s, "x.safetensors"), items, k == 1 ? 3 : 2, NULL, 0, NULL, NULL, &error);
        for (int i = 0; i < 3; i++)
            dit_lora_apply(sets[i], "X", &(dit_lora){s.path, DIT_LORA_TRANSFORMER, 0.5, true}, &applied, &error);
    }
    assert_fine(error);
    for (int i = 0; i < 3; i++) {
        float y[3 * 4];
        add_bias_to(sets[i]);
        assert_int_equal(dit_weights_count(sets[i]), i ? 2 + 3 * 2 + 1 : 2);
        linear_outputs(sets[i], i ? y : merged);
        for (int k = 0; i && k < 3 * 4; k++)
            assert_float_equal(y[k], merged[k], 1e-4);
        dit_weights_free(sets[i]);
    }
    scratch_remove(&s);
}

// Tensors of such names in a network's own file are not taken for what they are not.
static void tensors_named_as_adapters_are_refused(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    dit_error error = {0};
    dit_array a;
    float x[2 * 32] = {0};
    int applied;
    const dit_safetensors_item items[] = {{"layer.lora_A.weight", DIT_F32, DIT_SHAPE(2, 32), x},
                                          {"layer.lora_B.weight", DIT_F32, DIT_SHAPE(4, 2), x},
                                          {"layer.dora_scale", DIT_F32, DIT_SHAPE(4), x}};
    dit_weights *weights = small_weights(DIT_Q8_0);
    dit_array_alloc(&a, DIT_F16, DIT_SHAPE(2, 32), &error);
    dit_weights_add(weights, "layer.lora.0.down.weight", a, true, &error);
    dit_safetensors_write(scratch_path(&s, "x.safetensors"), items, 3, NULL, 0, NULL, NULL, &error);
    assert_fine(error);
    dit_lora_apply(weights, "X", &(dit_lora){s.path, .part = DIT_LORA_TRANSFORMER, .strength = 1}, &applied, &error);
    assert_refused(&error, DIT_BAD_FILE, "layer.lora.0");
    dit_weights_free(weights);
    scratch_remove(&s);
}

// One adapter of ones for each of two layers, `a.x` and `b.x`, of (1, 1) and rank 1, with `metadata`, as PEFT's
// settings or none: what becomes of the layers' zeros, and of a.x's bias.
static void merged_ones(const char *metadata, dit_lora_part part, const char *prefix, float got[3])
{
    scratch s;
    scratch_make(&s);
    dit_error error = {0};
    float one = 1;
    int applied;
    char names[5][80];
    static const char *const ends[] = {"a.x.lora_A.weight", "a.x.lora_B.weight", "a.x.lora_B.bias", "b.x.lora_A.weight",
                                       "b.x.lora_B.weight"};
    static const char *const layers[] = {"a.x.weight", "b.x.weight", "a.x.bias"};
    dit_safetensors_item items[5];
    for (int i = 0; i < 5; i++) {
        snprintf(names[i], sizeof names[i], "%s%s", prefix, ends[i]);
        items[i] = (dit_safetensors_item){names[i], DIT_F32, i == 2 ? DIT_SHAPE(1) : DIT_SHAPE(1, 1), &one};
    }
    const dit_text_pair notes[] = {{"lora_adapter_metadata", metadata}};
    dit_safetensors_write(scratch_path(&s, "x.safetensors"), items, 5, notes, metadata != NULL, NULL, NULL, &error);
    dit_weights *weights = dit_weights_new();
    for (int i = 0; i < 3; i++) {
        dit_array a;
        dit_array_alloc(&a, DIT_F32, i == 2 ? DIT_SHAPE(1) : DIT_SHAPE(1, 1), &error);
        *(float *)a.data = 0;
        dit_weights_add(weights, layers[i], a, true, &error);
    }
    dit_lora_apply(weights, "X", &(dit_lora){s.path, .part = part, .strength = 0.5}, &applied, &error);
    assert_fine(error);
    assert_int_equal(applied, 2);
    for (int i = 0; i < 3; i++)
        got[i] = *(const float *)dit_weights_find(weights, layers[i])->array.data;
    dit_weights_free(weights);
    scratch_remove(&s);
}

static void settings_of_peft_count(void **state)
{
    (void)state;
    static const struct {
        const char *metadata;
        dit_lora_part part;
        const char *prefix;
        float a, b;
    } cases[] = {
        {NULL, DIT_LORA_TRANSFORMER, "", 0.5f, 0.5f},
        {"{\"lora_alpha\": 6}", DIT_LORA_TRANSFORMER, "", 3, 3}, // the network's own save_lora_adapter
        {"{\"transformer.lora_alpha\": 6}", DIT_LORA_TRANSFORMER, "transformer.", 3, 3},
        {"{\"transformer.lora_alpha\": 6}", DIT_LORA_TEXT_ENCODER, "text_encoder.", 0.5f, 0.5f},
        {"{\"lora_alpha\": 6, \"alpha_pattern\": {\"a.x\": 2}}", DIT_LORA_TRANSFORMER, "", 1, 3},
        {"{\"lora_alpha\": 6, \"alpha_pattern\": {\"x\": 2}}", DIT_LORA_TRANSFORMER, "", 1, 1},
        {"{\"lora_alpha\": 6, \"alpha_pattern\": {\"[b-c]\\\\.x\": 2, \"x\": 4}}", DIT_LORA_TRANSFORMER, "", 2, 1},
        {"{\"lora_alpha\": 6, \"alpha_pattern\": {\"a\": 2}}", DIT_LORA_TRANSFORMER, "", 3, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float got[3];
        merged_ones(cases[i].metadata, cases[i].part, cases[i].prefix, got);
        assert_float_equal(got[0], cases[i].a, 1e-6);
        assert_float_equal(got[1], cases[i].b, 1e-6);
        assert_float_equal(got[2], cases[i].a, 1e-6); // biases are scaled as the product is
    }
}

// transformers 5 saves CLIP without the "text_model." that published files and adapters have.
static void text_encoders_are_found_with_and_without_their_prefix(void **state)
{
    (void)state;
    static const char *const adapters[] = {"lora_te1_text_model_encoder_layers_0_mlp_fc1",
                                           "text_encoder.text_model.encoder.layers.0.mlp.fc1",
                                           "text_encoder.encoder.layers.0.mlp.fc1"};
    static const char *const layers[] = {"text_model.encoder.layers.0.mlp.fc1.weight",
                                         "encoder.layers.0.mlp.fc1.weight"};
    scratch s;
    scratch_make(&s);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 2; k++) {
            dit_error error = {0};
            dit_array a;
            float one = 1;
            int applied;
            char down[100], up[100];
            snprintf(down, sizeof down, "%s.lora_down.weight", adapters[i]);
            snprintf(up, sizeof up, "%s.lora_up.weight", adapters[i]);
            const dit_safetensors_item items[] = {{down, DIT_F32, DIT_SHAPE(1, 1), &one},
                                                  {up, DIT_F32, DIT_SHAPE(1, 1), &one}};
            dit_safetensors_write(scratch_path(&s, "x.safetensors"), items, 2, NULL, 0, NULL, NULL, &error);
            dit_weights *weights = dit_weights_new();
            dit_array_alloc(&a, DIT_F32, DIT_SHAPE(1, 1), &error);
            *(float *)a.data = 2;
            dit_weights_add(weights, layers[k], a, true, &error);
            dit_lora_apply(weights, "CLIPTextModel", &(dit_lora){s.path, .part = DIT_LORA_TEXT_ENCODER, .strength = 1},
                           &applied, &error);
            assert_fine(error);
            assert_float_equal(*(const float *)dit_weights_find(weights, layers[k])->array.data, 3, 0);
            dit_weights_free(weights);
        }
    scratch_remove(&s);
}

static void files_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    float x[200] = {0};
    const struct {
        dit_safetensors_item items[3];
        dit_dtype dtype;
        dit_status status;
        const char *word;
    } cases[] = {
        {{{"other.lora_A.weight", DIT_F32, DIT_SHAPE(2, 32), x}, {"other.lora_B.weight", DIT_F32, DIT_SHAPE(4, 2), x}},
         DIT_F32,
         DIT_BAD_FILE,
         "no layer of this X"},
        {{{"layer.lora_A.weight", DIT_F32, DIT_SHAPE(2, 16), x}, {"layer.lora_B.weight", DIT_F32, DIT_SHAPE(4, 2), x}},
         DIT_F32,
         DIT_BAD_FILE,
         "(4, 16)"},
        {{{"layer.lora_A.weight", DIT_F32, DIT_SHAPE(2, 32), x}, {"layer.lora_B.weight", DIT_F32, DIT_SHAPE(3, 2), x}},
         DIT_F32,
         DIT_BAD_FILE,
         "(3, 32)"},
        {{{"layer.lora_A.weight", DIT_F32, DIT_SHAPE(2, 32), x}, {"layer.lora_B.weight", DIT_F32, DIT_SHAPE(4, 3), x}},
         DIT_F32,
         DIT_BAD_FILE,
         "do not form"},
        {{{"layer.lora_A.weight", DIT_F32, DIT_SHAPE(2, 32), x}, {"layer.alpha", DIT_F32, DIT_SCALAR, x}},
         DIT_F32,
         DIT_BAD_FILE,
         "do not form"},
        {{{"layer.hada_w1_a", DIT_F32, DIT_SHAPE(2, 32), x}, {"layer.alpha", DIT_F32, DIT_SCALAR, x}},
         DIT_F32,
         DIT_UNSUPPORTED,
         "hada_w1_a"},
        {{{"layer.lora_A.weight", DIT_F32, DIT_SHAPE(2, 32), x}, {"x.lora_B.weight", DIT_F32, DIT_SHAPE(4, 2), x}},
         DIT_F32,
         DIT_BAD_FILE,
         "do not form"},
        {{{"layer.lora_B.weight", DIT_F32, DIT_SHAPE(4, 2), x}, {"layer.alpha", DIT_F32, DIT_SCALAR, x}},
         DIT_F32,
         DIT_UNSUPPORTED,
         "lora_B"},
        {{{"layer.lora_A.weight", DIT_F32, DIT_SHAPE(2, 32), x},
          {"layer.lora_B.weight", DIT_F32, DIT_SHAPE(4, 2), x},
          {"layer.lora_B.bias", DIT_F32, DIT_SHAPE(4), x}},
         DIT_F32,
         DIT_UNSUPPORTED,
         "no layer.bias"},
        {{{"layer.lora_A.weight", DIT_I32, DIT_SHAPE(2, 32), x}, {"layer.lora_B.weight", DIT_F32, DIT_SHAPE(4, 2), x}},
         DIT_F32,
         DIT_UNSUPPORTED,
         "no float tensor"},
        {{{"layer.lora_A.weight", DIT_F32, DIT_SHAPE(2, 32), x},
          {"layer.lora_B.weight", DIT_F32, DIT_SHAPE(4, 2), x},
          {"layer.lora_magnitude_vector", DIT_F32, DIT_SHAPE(3), x}},
         DIT_F32,
         DIT_UNSUPPORTED,
         "magnitudes"},
    };
    scratch s;
    scratch_make(&s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_error error = {0};
        int applied;
        dit_weights *weights = small_weights(cases[i].dtype);
        dit_safetensors_write(scratch_path(&s, "x.safetensors"), cases[i].items, cases[i].items[2].name ? 3 : 2, NULL,
                              0, NULL, NULL, &error);
        assert_fine(error);
        dit_lora_apply(weights, "X", &(dit_lora){s.path, .part = DIT_LORA_TRANSFORMER, .strength = 1}, &applied,
                       &error);
        assert_refused(&error, cases[i].status, cases[i].word);
        assert_non_null(strstr(error.message, "x.safetensors"));
        dit_weights_free(weights);
    }
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adapters_are_merged_by_their_definition),
        cmocka_unit_test(several_add_up_in_floats_and_lie_beside_blocks),
        cmocka_unit_test(beside_a_weight_they_do_what_they_do_merged),
        cmocka_unit_test(tensors_named_as_adapters_are_refused),
        cmocka_unit_test(settings_of_peft_count),
        cmocka_unit_test(text_encoders_are_found_with_and_without_their_prefix),
        cmocka_unit_test(files_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
