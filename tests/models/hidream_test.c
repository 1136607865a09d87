// tests/models/hidream_test.c: the grid that img_sizes gives is checked before anything is reckoned with it. What the
// network computes is in parity_test.c.
#include "../io/support.h"
#include "dit/dit.h"
#include "models/component.h"

#define FIXTURE DIT_SOURCE_DIR "/tests/fixtures/models/hidream/tokens"
enum { MOST = 16 };

// The fixture's inputs (9 patches for each of 2 samples) with other img_sizes, written to a file.
static void write_inputs(const char *path, const int64_t sizes[4])
{
    dit_safetensors *from;
    dit_safetensors_item item[MOST];
    dit_error error = {0};
    dit_safetensors_open(&from, FIXTURE "/inputs.safetensors", &error);
    assert_fine(error);
    size_t count = dit_safetensors_count(from);
    assert_in_range(count, 1, MOST);
    for (size_t i = 0; i < count; i++) {
        dit_array array;
        dit_safetensors_array(from, i, &array, &error);
        assert_fine(error);
        const char *name = dit_safetensors_at(from, i)->name;
        const void *data = strcmp(name, "img_sizes") ? array.data : sizes;
        item[i] = (dit_safetensors_item){name, array.dtype, array.shape, data};
    }
    dit_safetensors_write(path, item, count, NULL, 0, NULL, NULL, &error);
    assert_fine(error);
    dit_safetensors_close(from);
}

static void describe(const int64_t sizes[4], dit_error *error)
{
    scratch s;
    dit_component component;
    dit_safetensors *inputs;
    dit_named_tensors out = {0};
    scratch_make(&s);
    write_inputs(scratch_path(&s, "inputs.safetensors"), sizes);
    dit_component_open(&component, FIXTURE, DIT_F32, error);
    assert_fine(*error);
    dit_safetensors_open(&inputs, s.path, error);
    assert_fine(*error);
    dit_graph *g = dit_graph_new(component.weights);
    dit_component_describe(&component, g, DIT_FORWARD, inputs, NULL, DIT_F32, &out, error);
    dit_graph_free(g);
    dit_safetensors_close(inputs);
    dit_component_close(&component);
    scratch_remove(&s);
}

static void grids_of_other_counts_are_refused(void **state)
{
    (void)state;
    const int64_t far = INT64_C(1) << 62;
    const int64_t sizes[][4] = {
        {far, far, far, far}, {far, 1, far, 1}, {-far, -far, -far, -far}, {0, 3, 0, 3}, {2, 5, 2, 5}, {1, 9, 9, 1},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        dit_error error = {0};
        describe(sizes[i], &error);
        assert_refused(&error, DIT_BAD_FILE, "img_sizes", "9 patches");
    }
}

static void grids_that_fit_are_taken(void **state)
{
    (void)state;
    const int64_t sizes[][4] = {{3, 3, 3, 3}, {1, 9, 1, 9}, {2, 3, 2, 3}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        dit_error error = {0};
        describe(sizes[i], &error);
        assert_fine(error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grids_of_other_counts_are_refused),
        cmocka_unit_test(grids_that_fit_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
