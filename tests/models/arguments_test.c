// tests/models/arguments_test.c: integers of constant arguments, as one tensor, a list, or a list of lists; what is not
// there, too much or no constant is named.
#include "../io/support.h"
#include "models/arguments.h"
#include <math.h>

static dit_tensor number(dit_graph *g, int64_t value)
{
    return dit_constant(g, DIT_I64, DIT_SCALAR, &value);
}

static void one_tensor_gives_its_integers(void **state)
{
    (void)state;
    dit_graph *g = dit_graph_new(NULL);
    const int32_t sizes[] = {3, 4, 5, 6};
    const uint8_t yes = 1;
    int64_t found[4];
    dit_named_tensors in = {0};
    dit_named_add(&in, "img_sizes", dit_constant(g, DIT_I32, DIT_SHAPE(2, 2), sizes));
    dit_named_add(&in, "repeat", dit_constant(g, DIT_BOOL, DIT_SCALAR, &yes));
    assert_int_equal(dit_named_integers(g, &in, "img_sizes", found, 4), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(found[i], sizes[i]);
    assert_int_equal(dit_named_integers(g, &in, "repeat", found, 1), 1);
    assert_int_equal(found[0], 1);
    const double size = 1024;
    dit_named_add(&in, "length", dit_constant(g, DIT_F64, DIT_SCALAR, &size));
    assert_int_equal(dit_named_integers(g, &in, "length", found, 1), 1);
    assert_int_equal(found[0], 1024);
    assert_int_equal(dit_named_integers(g, &in, "absent", found, 4), 0);
    assert_fine(*dit_graph_error(g));
    dit_graph_free(g);
}

static void lists_are_read_in_the_order_of_their_numbers(void **state)
{
    (void)state;
    dit_graph *g = dit_graph_new(NULL);
    int64_t found[12];
    char names[11][16];
    dit_named_tensors in = {0};
    for (int i = 10; i >= 0; i--) { // "10" stands before "2" in a file
        snprintf(names[i], sizeof names[i], "skip.%d", i);
        dit_named_add(&in, names[i], number(g, 100 + i));
    }
    dit_named_add(&in, "sizes.1.0", number(g, 7));
    dit_named_add(&in, "sizes.0.1", number(g, 6));
    dit_named_add(&in, "sizes.0.0", number(g, 5));
    assert_int_equal(dit_named_integers(g, &in, "skip", found, 12), 11);
    for (int i = 0; i < 11; i++)
        assert_int_equal(found[i], 100 + i);
    assert_int_equal(dit_named_integers(g, &in, "sizes", found, 12), 3);
    assert_true(found[0] == 5 && found[1] == 6 && found[2] == 7);
    assert_int_equal(dit_named_members(&in, "skip"), 11);
    assert_fine(*dit_graph_error(g));
    dit_graph_free(g);
}

// The error that reading `name` with room for two integers leaves in the graph.
static void expect_fault(const char *listed, bool constant, int64_t count, const char *name, const char *words)
{
    dit_graph *g = dit_graph_new(NULL);
    const int64_t values[3] = {1, 2, 3};
    int64_t found[2];
    dit_named_tensors in = {0};
    dit_shape shape = DIT_SHAPE(count);
    dit_named_add(&in, listed, constant ? dit_constant(g, DIT_I64, shape, values) : dit_input(g, "x", DIT_I64, shape));
    dit_named_integers(g, &in, name, found, 2);
    assert_int_equal(dit_graph_error(g)->status, DIT_BAD_ARGUMENT);
    assert_non_null(strstr(dit_graph_error(g)->message, words));
    dit_graph_free(g);
}

static void fractions_are_no_integers(void **state)
{
    (void)state;
    const float values[] = {2, 2.5f, INFINITY, 1e30f, NAN};
    for (int i = 0; i < 5; i++) {
        dit_graph *g = dit_graph_new(NULL);
        int64_t found;
        dit_named_tensors in = {0};
        dit_named_add(&in, "size", dit_constant(g, DIT_F32, DIT_SCALAR, &values[i]));
        assert_int_equal(dit_named_integers(g, &in, "size", &found, 1), i == 0);
        assert_int_equal(dit_graph_error(g)->status, i == 0 ? DIT_OK : DIT_BAD_ARGUMENT);
        dit_graph_free(g);
    }
}

static void what_does_not_fit_is_named(void **state)
{
    (void)state;
    expect_fault("layers", true, 3, "layers", "layers holds more than 2");
    expect_fault("layers", false, 2, "layers", "layers must be integers");
    expect_fault("layers.1", true, 1, "layers", "layers.0 is missing");
    expect_fault("layers.0.0.0", true, 1, "layers", "layers.0.0 is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_tensor_gives_its_integers),
        cmocka_unit_test(lists_are_read_in_the_order_of_their_numbers),
        cmocka_unit_test(fractions_are_no_integers),
        cmocka_unit_test(what_does_not_fit_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
