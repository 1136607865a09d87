// Single files with the names of their original repositories (tools/fixtures/single_files.py): same network, same
// output; what does not fit is refused.
#include "io/support.h"
#include "models/original.h"
#include "models/original_rows.h"
#include "models/probe.h"

static const char *const DIT = "fixtures/single/dit.pt";

static void original_file_gives_the_output_of_the_published_network(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_probe p;
    dit_safetensors *outputs;
    dit_array wanted;
    dit_probe_open(&p, DIT, "fixtures/single/inputs.safetensors", &(dit_probe_options){0}, &error);
    if (!error.status)
        dit_probe_run(&p, NULL, NULL, &error);
    assert_fine(error);
    dit_safetensors_open(&outputs, "fixtures/single/outputs.safetensors", &error);
    dit_safetensors_get(outputs, "sample", &wanted, &error);
    assert_fine(error);
    dit_array got = dit_plan_output(p.plan, "sample");
    assert_true(dit_shape_equal(&got.shape, &wanted.shape));
    double worst = 0, largest = 0;
    for (int64_t i = 0; i < dit_shape_count(&wanted.shape); i++) {
        double w = dit_element_get(wanted.dtype, wanted.data, i), d = dit_element_get(got.dtype, got.data, i) - w;
        worst = d > worst ? d : -d > worst ? -d : worst;
        largest = w > largest ? w : -w > largest ? -w : largest;
    }
    assert_true(largest > 0.1 && worst <= 1e-5 * largest);
    dit_safetensors_close(outputs);
    dit_probe_close(&p);
}

static void parts_of_a_fused_tensor_are_views(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_tensor_file *file;
    dit_original *original;
    dit_array fused;
    dit_weights *weights = dit_weights_new();
    dit_tensor_file_open(&file, DIT, &error);
    dit_original_find(&original, file, NULL, &error);
    assert_fine(error);
    assert_non_null(original);
    assert_string_equal(dit_original_class(original), "DiTTransformer2DModel");
    assert_string_equal(dit_original_prefix(original), "ema.");
    dit_original_weights(original, weights, &error);
    dit_tensor_file_array(file, (size_t)dit_tensor_file_find(file, "ema.blocks.1.attn.qkv.weight"), &fused, &error);
    assert_fine(error);
    const char *const names[] = {"transformer_blocks.1.attn1.to_q.weight", "transformer_blocks.1.attn1.to_k.weight",
                                 "transformer_blocks.1.attn1.to_v.weight"};
    for (int i = 0; i < 3; i++) {
        const dit_weight *w = dit_weights_find(weights, names[i]);
        assert_non_null(w);
        assert_ptr_equal(w->array.data, (char *)fused.data + (size_t)i * dit_array_bytes(&fused) / 3);
        assert_true(dit_shape_equal(&w->array.shape, &DIT_SHAPE(16, 16)) && !w->owned);
    }
    dit_weights_free(weights);
    dit_original_free(original);
    dit_tensor_file_close(file);
}

// The fixture's tensors as safetensors, one of them changed or added.
static const char *changed_file(scratch *s, const char *name, dit_dtype dtype, dit_shape shape)
{
    static float zeros[1 << 16];
    dit_error error = {0};
    dit_tensor_file *file;
    dit_safetensors_item items[100];
    size_t count = 0;
    dit_tensor_file_open(&file, DIT, &error);
    assert_fine(error);
    for (size_t i = 0; i < dit_tensor_file_count(file); i++) {
        const char *plain = dit_tensor_file_at(file, i).name + strlen("ema.");
        dit_array a;
        dit_tensor_file_array(file, i, &a, &error);
        if (strcmp(plain, name))
            items[count++] = (dit_safetensors_item){plain, a.dtype, a.shape, a.data};
    }
    if (shape.rank >= 0)
        items[count++] = (dit_safetensors_item){name, dtype, shape, zeros};
    const char *path = scratch_path(s, "x.safetensors");
    dit_safetensors_write(path, items, count, NULL, 0, NULL, NULL, &error);
    assert_fine(error);
    dit_tensor_file_close(file);
    return path;
}

static void files_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    const dit_shape absent = {.rank = -1};
    const struct {
        const char *name;
        dit_shape shape;
        dit_status status;
        const char *word;
    } cases[] = {
        {"blocks.0.attn.surprise.weight", DIT_SHAPE(2), DIT_BAD_FILE, "blocks.0.attn.surprise.weight"},
        {"blocks.1.attn.qkv.weight", DIT_SHAPE(47, 16), DIT_BAD_FILE, "does not divide"},
        {"blocks.1.attn.qkv.weight", DIT_SCALAR, DIT_BAD_FILE, "does not divide"},
        {"blocks.0.adaLN_modulation.1.weight", absent, DIT_UNSUPPORTED, "holds no network"},
        {"final_layer.linear.weight", DIT_SHAPE(0, 16), DIT_BAD_FILE, "final_layer.linear.weight"},
        {"x_embedder.proj.weight", DIT_SHAPE(16), DIT_BAD_FILE, "x_embedder.proj.weight"},
    };
    scratch s;
    scratch_make(&s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_error error = {0};
        dit_component component;
        dit_component_open(&component, changed_file(&s, cases[i].name, DIT_F32, cases[i].shape), DIT_F32, &error);
        assert_refused(&error, cases[i].status, cases[i].word);
        dit_component_close(&component);
    }
    scratch_remove(&s);
}

static void a_config_beside_the_file_is_followed(void **state)
{
    (void)state;
    static const char config[] =
        "{\"_class_name\": \"DiTTransformer2DModel\", \"num_attention_heads\": 2, "
        "\"attention_head_dim\": 8, \"in_channels\": 4, \"out_channels\": 8, \"num_layers\": 2, "
        "\"sample_size\": 8, \"num_embeds_ada_norm\": 10}";
    scratch s;
    scratch_make(&s);
    dit_error error = {0};
    dit_component component;
    changed_file(&s, "none", DIT_F32, (dit_shape){.rank = -1});
    write_file(scratch_path(&s, "config.json"), config, sizeof config - 1);
    dit_component_open(&component, scratch_path(&s, "x.safetensors"), DIT_F32, &error);
    assert_fine(error);
    assert_int_equal(dit_json_int(dit_json_root(component.json), "num_attention_heads", 1, 9, &error), 2);
    dit_component_close(&component);
    scratch_remove(&s);
}

static void what_is_known_counts_where_the_tensors_say_nothing(void **state)
{
    (void)state;
    static const char known[] = "{\"attention_head_dim\": 8, \"num_attention_heads\": 2, \"num_layers\": 7, "
                                "\"norm_eps\": 1e-6%s}";
    static const char *const others[] = {"", ", \"_class_name\": \"DiTTransformer2DModel\"",
                                         ", \"_class_name\": \"FluxTransformer2DModel\""};
    for (int i = 0; i < 3; i++) {
        char text[300];
        dit_error error = {0};
        dit_component c;
        snprintf(text, sizeof text, known, others[i]);
        dit_component_open_with(&c, DIT, &(dit_component_options){.dtype = DIT_F32, .known_text = text}, &error);
        assert_fine(error);
        dit_json json = dit_json_root(c.json);
        assert_int_equal(dit_json_int(json, "num_layers", 1, 9, &error), 2); // a fact
        assert_int_equal(dit_json_int(json, "num_attention_heads", 1, 9, &error), i < 2 ? 2 : 1);
        assert_int_equal(dit_json_has(json, "norm_eps"), i < 2);
        dit_component_close(&c);
    }
    dit_error error = {0};
    dit_component c;
    const char *const classes[] = {"FluxTransformer2DModel", NULL}, *const prefixes[] = {"vae.", NULL};
    dit_component_open_with(&c, DIT, &(dit_component_options){.classes = classes}, &error);
    assert_refused(&error, DIT_UNSUPPORTED, "holds no FluxTransformer2DModel");
    dit_component_close(&c);
    error = (dit_error){0};
    dit_component_open_with(&c, DIT, &(dit_component_options){.prefixes = prefixes}, &error);
    assert_refused(&error, DIT_UNSUPPORTED, "holds no network");
    dit_component_close(&c);
    error = (dit_error){0};
    dit_component_open_with(&c, DIT, &(dit_component_options){.known_text = "{\"attention_head_dim\": 0}"}, &error);
    assert_refused(&error, DIT_BAD_FILE, "division by zero");
    dit_component_close(&c);
}

static void scales_multiply_their_weights(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    dit_error error = {0};
    dit_component component;
    static const uint8_t one_to_four[] = {0x38, 0x40, 0x44, 0x48}; // 1, 2, 3, 4 in e4m3
    uint8_t eighths[64 * 16];
    for (size_t i = 0; i < sizeof eighths; i++)
        eighths[i] = one_to_four[i % 4];
    const float scale = 0.3f;
    dit_tensor_file *file;
    dit_safetensors_item items[100];
    size_t count = 0;
    dit_tensor_file_open(&file, DIT, &error);
    for (size_t i = 0; i < dit_tensor_file_count(file); i++) {
        dit_array a;
        const char *name = dit_tensor_file_at(file, i).name + strlen("ema.");
        dit_tensor_file_array(file, i, &a, &error);
        items[count] = (dit_safetensors_item){name, a.dtype, a.shape, a.data};
        if (!strcmp(name, "blocks.0.mlp.fc1.weight"))
            items[count] = (dit_safetensors_item){name, DIT_F8_E4M3, a.shape, eighths};
        count++;
    }
    items[count++] = (dit_safetensors_item){"blocks.0.mlp.fc1.scale_weight", DIT_F32, DIT_SCALAR, &scale};
    items[count++] = (dit_safetensors_item){"scaled_fp8", DIT_F8_E4M3, DIT_SHAPE(0), eighths};
    char format[] = "{\"format\": \"float8_e4m3fn\"}", other[] = "{\"format\": \"nvfp4\"}";
    dit_safetensors_item *said = &items[count++];
    *said = (dit_safetensors_item){"blocks.0.mlp.fc1.comfy_quant", DIT_U8, DIT_SHAPE((int64_t)strlen(format)), format};
    dit_safetensors_write(scratch_path(&s, "x.safetensors"), items, count, NULL, 0, NULL, NULL, &error);
    dit_component_open(&component, scratch_path(&s, "x.safetensors"), DIT_F32, &error);
    assert_fine(error);
    const dit_weight *w = dit_weights_find(component.weights, "transformer_blocks.0.ff.net.0.proj.weight");
    assert_true(w->array.dtype == DIT_F32 && w->scale == 1);
    for (int i = 0; i < 64 * 16; i++)
        assert_true(((float *)w->array.data)[i] == (float)(i % 4 + 1) * scale);
    dit_component_close(&component);
    said->shape = DIT_SHAPE((int64_t)strlen(other));
    said->data = other;
    dit_safetensors_write(s.path, items, count, NULL, 0, NULL, NULL, &error);
    assert_fine(error);
    dit_component_open(&component, s.path, DIT_F32, &error);
    assert_refused(&error, DIT_UNSUPPORTED, "fc1.comfy_quant", "nvfp4");
    dit_component_close(&component);
    dit_tensor_file_close(file);
    scratch_remove(&s);
}

static void expressions_follow_their_rules(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_tensor_file *file;
    dit_tensor_file_open(&file, DIT, &error);
    assert_fine(error);
    const dit_facts facts = {.file = file, .prefix = "ema.", .count = 1, .number[0] = {"width", 16}};
    const struct {
        const char *text;
        int64_t value;
    } cases[] = {
        {"1 + 2 * 3", 7},
        {"(1 + 2) * 3 - 10 / 3 % 2", 8},
        {"width", 16},
        {"has(pos_embed) ? sqrt(pos_embed[rank(pos_embed) - 2]) * 2 : 32", 8},
        {"has(absent.weight) ? absent.weight[0] : 5", 5},
        {"has(pos_embed) ? 4 : absent.weight[0]", 4},
        {"width % 72 ? width % 64 ? width : 64 : 72", 16},
        {"count(blocks)", 2},
        {"count(absent)", 0},
        {"blocks.1.attn.qkv.weight[0] - 2 * width", 16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i].text;
        int64_t value = -1;
        dit_facts_evaluate(&facts, &text, &value, &error);
        assert_fine(error);
        assert_int_equal(value, cases[i].value);
        assert_string_equal(text, "");
    }
    static const char *const wrong[] = {"absent.weight[0]", "pos_embed[3]", "1 / 0",
                                        "nobody",           "(1",           "1 ? 2",
                                        "pos_embed[0",      "1 1",          "9999999999 * 9999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        dit_error refusal = {0};
        const char *text = wrong[i];
        int64_t value;
        dit_facts_evaluate(&facts, &text, &value, &refusal);
        assert_refused(&refusal, DIT_BAD_FILE, "dit.pt");
    }
    dit_tensor_file_close(file);
}

static void patterns_match_whole_names(void **state)
{
    (void)state;
    const struct {
        const char *pattern, *name, *target, *filled; // filled NULL: no match
    } cases[] = {
        {"a.*.b.*", "a.12.b.weight", "x.*.y.*", "x.12.y.weight"},
        {"a.*.b.*", "a.12.b.c.weight", NULL, NULL},
        {"a.*.b.*", "a..b.weight", NULL, NULL},
        {"a.**", "a.b.c.weight", "x.**", "x.b.c.weight"},
        {"a.b", "a.b", "c", "c"},
        {"a.b", "a.bc", NULL, NULL},
        {"a.bc", "a.b", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_captures captured;
        char name[100];
        assert_int_equal(dit_names_match(cases[i].pattern, cases[i].name, false, &captured), cases[i].filled != NULL);
        if (!cases[i].filled)
            continue;
        assert_true(dit_names_fill(cases[i].target, &captured, name, sizeof name));
        assert_string_equal(name, cases[i].filled);
    }
    dit_captures captured;
    assert_true(dit_names_match("a_b.*.c_d.*", "a_b_12_c_d.weight", true, &captured));
    assert_int_equal(captured.item[0].length, 2);
    assert_false(dit_names_match("a_b.*.c_d.*", "a_b_12_c_d.weight", false, &captured));
    assert_false(dit_names_match("a_b.*.c.*", "a_b_12_c_d.weight", true, &captured));
    assert_true(
        dit_names_match("*.*.c_d.out.*", "a_b_12_c_d_out.weight", true, &captured)); // a word with an underscore
    assert_int_equal(captured.count, 3);
    assert_int_equal(captured.item[0].length, 3);
    assert_int_equal(captured.item[1].length, 2);
}

// kohya's names write every dot as an underscore; words of the network's own names have some too.
static void underscored_names_find_the_layers_they_became(void **state)
{
    (void)state;
    static const char *const published[] = {
        "noise_refiner.1.attention.to_q.weight", "noise_refiner.1.attention.to_k.weight",
        "noise_refiner.1.attention.to_v.weight", "noise_refiner.1.attention.to_out.0.weight",
        "all_final_layer.2-1.adaLN_modulation.1.weight"};
    static const struct {
        const char *name;
        int first, count;
    } cases[] = {{"noise_refiner_1_attention_qkv.weight", 0, 3},
                 {"noise_refiner_1_attention_out.weight", 3, 1},
                 {"final_layer_adaLN_modulation_1.weight", 4, 1}};
    dit_error error = {0};
    dit_weights *weights = dit_weights_new();
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        dit_array a;
        dit_array_alloc(&a, DIT_F32, DIT_SHAPE(2, 2), &error);
        dit_weights_add(weights, published[i], a, true, &error);
    }
    assert_fine(error);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_renamed renamed;
        assert_true(dit_original_rename("ZImageTransformer2DModel", cases[i].name, true, weights, &renamed));
        assert_int_equal(renamed.count, cases[i].count);
        for (int k = 0; k < renamed.count; k++)
            assert_string_equal(renamed.name[k], published[cases[i].first + k]);
    }
    dit_weights_free(weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(original_file_gives_the_output_of_the_published_network),
        cmocka_unit_test(parts_of_a_fused_tensor_are_views),
        cmocka_unit_test(files_that_do_not_fit_are_refused),
        cmocka_unit_test(a_config_beside_the_file_is_followed),
        cmocka_unit_test(what_is_known_counts_where_the_tensors_say_nothing),
        cmocka_unit_test(scales_multiply_their_weights),
        cmocka_unit_test(expressions_follow_their_rules),
        cmocka_unit_test(patterns_match_whole_names),
        cmocka_unit_test(underscored_names_find_the_layers_they_became),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
