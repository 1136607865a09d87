// tests/models/image_classifier_test.c: the classifier's logits and gradients against PyTorch's
// (tools/fixtures/classifier.py), and what its configuration refuses.
#include "../io/support.h"
#include "models/image_classifier.h"
#include "models/probe.h"
#include <math.h>

#define FIXTURES DIT_SOURCE_DIR "/tests/fixtures/classifier/"

static const double BOUND = 1e-5; // of a tensor's largest value

// Every tensor of `file` is an output of the plan, and within the bound.
static void compare_outputs(const dit_probe *probe, const char *path)
{
    dit_safetensors *file;
    dit_error error = {0};
    dit_safetensors_open(&file, path, &error);
    assert_fine(error);
    assert_int_equal(dit_safetensors_count(file), probe->count);
    for (size_t i = 0; i < dit_safetensors_count(file); i++) {
        const char *name = dit_safetensors_at(file, i)->name;
        dit_array wanted, found = dit_plan_output(probe->plan, name);
        dit_safetensors_array(file, i, &wanted, &error);
        assert_fine(error);
        assert_non_null(found.data);
        assert_true(dit_shape_equal(&wanted.shape, &found.shape));
        double largest = 0, distance = 0;
        for (int64_t k = 0; k < dit_shape_count(&wanted.shape); k++) {
            double w = dit_element_get(wanted.dtype, wanted.data, k);
            largest = fmax(largest, fabs(w));
            distance = fmax(distance, fabs(dit_element_get(found.dtype, found.data, k) - w));
        }
        if (!(distance <= BOUND * largest)) {
            print_error("%s: %s differs by %.2g of its largest value\n", path, name, distance / largest);
            fail();
        }
    }
    dit_safetensors_close(file);
}

static void compare_case(const char *name, bool gradient)
{
    char folder[512], inputs[600], wanted[600];
    dit_error error = {0};
    dit_probe probe = {0};
    const dit_probe_options options = {.dtype = DIT_F32, .gradient = gradient};
    snprintf(folder, sizeof folder, FIXTURES "%s", name);
    snprintf(inputs, sizeof inputs, "%s/inputs.safetensors", folder);
    snprintf(wanted, sizeof wanted, "%s/%s.safetensors", folder, gradient ? "grads" : "outputs");
    dit_probe_open(&probe, folder, inputs, &options, &error);
    dit_probe_run(&probe, NULL, NULL, &error);
    assert_fine(error);
    compare_outputs(&probe, wanted);
    dit_probe_close(&probe);
}

static const char *const cases[] = {"colour", "grey", "wide-picture"};
enum { CASES = sizeof cases / sizeof *cases };

static void logits_are_those_of_pytorch(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++)
        compare_case(cases[i], false);
}

static void gradients_are_those_of_pytorch(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++)
        compare_case(cases[i], true);
}

static dit_status configure(const char *text, dit_error *error)
{
    dit_json_file *file;
    dit_image_classifier_config config = {0};
    const dit_model_class *class = dit_model_class_find("ImageClassifier");
    assert_non_null(class);
    assert_int_equal(class->config_bytes, sizeof config);
    if (!dit_json_parse(&file, "config.json", text, strlen(text), 0, error))
        class->configure(&config, dit_json_root(file), error);
    dit_json_close(file);
    return error->status;
}

static void impossible_configurations_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *word;
    } faults[] = {
        {"{\"block_out_channels\": [8]}", "num_classes"},
        {"{\"num_classes\": 10}", "block_out_channels"},
        {"{\"num_classes\": 0, \"block_out_channels\": [8]}", "num_classes"},
        {"{\"num_classes\": 10, \"block_out_channels\": []}", "block_out_channels"},
        {"{\"num_classes\": 10, \"block_out_channels\": [8, 12]}", "12"},
        {"{\"num_classes\": 10, \"block_out_channels\": [8, 8, 8], \"sample_size\": 3}", "sample_size"},
        {"{\"num_classes\": 10, \"block_out_channels\": [8], \"dropout\": 0.1}", "dropout"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        dit_error error = {0};
        configure(faults[i].text, &error);
        assert_refused(&error, DIT_BAD_FILE, "config.json", faults[i].word);
    }
    dit_error error = {0};
    configure("{\"num_classes\": 10, \"block_out_channels\": [8, 16], \"sample_size\": 2}", &error);
    assert_fine(error);
}

// What is described for pictures of this shape: DIT_OK, or the graph's error.
static void describe(const dit_shape *pictures, dit_error *error)
{
    const dit_image_classifier_config config = {.in_channels = 1,
                                                .sample_size = 8,
                                                .stages = 3,
                                                .channels = {4, 4, 4},
                                                .layers = 1,
                                                .groups = 2,
                                                .norm_eps = 1e-5f,
                                                .classes = 3};
    dit_graph *g = dit_graph_new(NULL);
    dit_tensor logits = dit_model_image_classifier(g, &config, dit_input(g, "pixel_values", DIT_F32, *pictures));
    *error = *dit_graph_error(g);
    if (!error->status)
        assert_true(dit_shape_equal(dit_shape_of(g, logits), &DIT_SHAPE(pictures->dim[0], 3)));
    dit_graph_free(g);
}

static void pictures_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    dit_error error;
    describe(&DIT_SHAPE(2, 1, 8, 8), &error);
    assert_fine(error);
    describe(&DIT_SHAPE(2, 1, 5, 17), &error); // halves with remainders
    assert_fine(error);
    describe(&DIT_SHAPE(2, 3, 8, 8), &error);
    assert_refused(&error, DIT_BAD_ARGUMENT, "3 channels", "takes 1");
    describe(&DIT_SHAPE(2, 1, 8, 3), &error); // 3, 1, nothing
    assert_int_equal(error.status, DIT_BAD_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_are_those_of_pytorch),
        cmocka_unit_test(gradients_are_those_of_pytorch),
        cmocka_unit_test(impossible_configurations_are_refused),
        cmocka_unit_test(pictures_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
