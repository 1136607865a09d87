// tests/models/call_test.c: one call of a text encoder over arrays in memory gives what its fixture says.
#include "models/call.h"
#include "models/distance.h"

#define FOLDER DIT_SOURCE_DIR "/tests/fixtures/models/text_encoders/clip"

// The encoder called with the fixture's ids.
static void call(dit_dtype dtype, const char *const *wanted, dit_arrays *out, dit_error *error)
{
    dit_component component;
    dit_safetensors *inputs;
    dit_array from, *ids;
    dit_arrays in = {0};
    dit_component_open(&component, FOLDER, dtype, error);
    assert_fine(*error);
    dit_safetensors_open(&inputs, FOLDER "/inputs.safetensors", error);
    assert_fine(*error);
    dit_safetensors_get(inputs, "input_ids", &from, error);
    assert_fine(*error);
    ids = dit_arrays_add(&in, "input_ids", DIT_I64, from.shape, error);
    assert_non_null(ids);
    memcpy(ids->data, from.data, dit_array_bytes(&from));
    dit_component_call(&component, DIT_FORWARD, &in, wanted, NULL, out, error);
    dit_arrays_free(&in);
    dit_safetensors_close(inputs);
    dit_component_close(&component);
}

static void compare(const dit_arrays *out, const char *name, const char *file, const char *wanted_name,
                    double tolerance)
{
    dit_safetensors *outputs;
    dit_array wanted;
    dit_error error = {0};
    const dit_array *found = dit_arrays_find(out, name);
    assert_non_null(found);
    dit_safetensors_open(&outputs, file, &error);
    assert_fine(error);
    dit_safetensors_get(outputs, wanted_name, &wanted, &error);
    assert_fine(error);
    assert_int_equal(found->dtype, wanted.dtype);
    hold(name, file, distance_of(found, &wanted, 0).largest, tolerance);
    dit_safetensors_close(outputs);
}

static void the_outputs_wanted_are_given(void **state)
{
    (void)state;
    dit_arrays out = {0};
    dit_error error = {0};
    call(DIT_F32, (const char *const[]){"hidden_states.-2", "pooler_output", "hidden_states.0", NULL}, &out, &error);
    assert_fine(error);
    assert_int_equal(out.count, 3);
    compare(&out, "hidden_states.-2", FOLDER "/outputs.safetensors", "hidden_states.1", 1e-5);
    compare(&out, "pooler_output", FOLDER "/outputs.safetensors", "pooler_output", 1e-5);
    compare(&out, "hidden_states.0", FOLDER "/outputs.safetensors", "hidden_states.0", 1e-5);
    dit_arrays_free(&out);
}

static void all_outputs_are_given_when_none_is_named(void **state)
{
    (void)state;
    static const char *const names[] = {"last_hidden_state", "hidden_states.0", "hidden_states.1", "hidden_states.2",
                                        "pooler_output"};
    dit_arrays out = {0};
    dit_error error = {0};
    call(DIT_BF16, NULL, &out, &error);
    assert_fine(error);
    assert_int_equal(out.count, sizeof names / sizeof *names);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        compare(&out, names[i], FOLDER "/outputs.bf16.safetensors", names[i], 2e-2);
    dit_arrays_free(&out);
}

static void an_output_that_is_not_there_is_named(void **state)
{
    (void)state;
    static const char *const names[] = {"text_embeds", "hidden_states.-4", "hidden_states.-0", "hidden_states.3"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        dit_arrays out = {0};
        dit_error error = {0};
        call(DIT_F32, (const char *const[]){names[i], NULL}, &out, &error);
        assert_int_equal(error.status, DIT_BAD_FILE);
        assert_non_null(strstr(error.message, names[i]));
        dit_arrays_free(&out);
    }
}

// Floating-point operations of the fixture's encoder when one output is wanted.
static double flops_of(const char *wanted)
{
    dit_component component;
    dit_safetensors *inputs;
    dit_plan *plan;
    dit_named_tensors out = {0};
    dit_error error = {0};
    dit_component_open(&component, FOLDER, DIT_F32, &error);
    dit_safetensors_open(&inputs, FOLDER "/inputs.safetensors", &error);
    assert_fine(error);
    dit_graph *g = dit_graph_new(component.weights);
    dit_component_describe(&component, g, DIT_FORWARD, inputs, (const char *const[]){"target", NULL}, DIT_F32, &out,
                           &error);
    dit_output(g, wanted, dit_named_find(&out, wanted));
    dit_plan_new(g, component.weights, &(dit_plan_options){.frozen = true}, &plan, &error);
    assert_fine(error);
    double flops = dit_plan_figures_of(plan).flops;
    dit_plan_free(plan);
    dit_graph_free(g);
    dit_safetensors_close(inputs);
    dit_component_close(&component);
    return flops;
}

static void what_is_not_wanted_is_not_computed(void **state)
{
    (void)state;
    double first = flops_of("hidden_states.1"), both = flops_of("hidden_states.2");
    assert_true(flops_of("hidden_states.0") == 0);
    assert_true(first > 0);
    assert_true(both == 2 * first);
    assert_true(flops_of("last_hidden_state") == both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_outputs_wanted_are_given),
        cmocka_unit_test(all_outputs_are_given_when_none_is_named),
        cmocka_unit_test(an_output_that_is_not_there_is_named),
        cmocka_unit_test(what_is_not_wanted_is_not_computed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
