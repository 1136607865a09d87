// tests/graph/graph_test.c: describing: scopes, parameters, taps, errors.
#include "graph/ops.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void names_follow_the_scopes(void **state)
{
    (void)state;
    dit_graph *g = dit_graph_new(NULL);
    dit_tensor w = DIT_NONE;
    DIT_SCOPE (g, "blocks.%d", 7)
        DIT_SCOPE (g, "attn1")
            w = dit_parameter(g, "weight", DIT_SHAPE(2, 3), DIT_INITIAL_ONES);
    assert_string_equal(dit_parameter_name(g, w), "blocks.7.attn1.weight");
    assert_string_equal(dit_scope_name(g, "x"), "x");
    dit_graph_free(g);
}

static void a_parameter_declared_twice_is_one(void **state)
{
    (void)state;
    dit_graph *g = dit_graph_new(NULL);
    dit_tensor a = dit_parameter(g, "w", DIT_SHAPE(4), DIT_INITIAL_ONES);
    dit_tensor b = dit_parameter(g, "w", DIT_SHAPE(4), DIT_INITIAL_ONES);
    assert_int_equal(a.id, b.id);
    assert_int_equal(dit_parameter_count(g), 1);
    dit_parameter(g, "w", DIT_SHAPE(5), DIT_INITIAL_ONES);
    assert_int_equal(dit_graph_error(g)->status, DIT_BAD_ARGUMENT);
    dit_graph_free(g);
}

static void the_first_error_stays_with_its_scope(void **state)
{
    (void)state;
    dit_graph *g = dit_graph_new(NULL);
    dit_tensor a = dit_input(g, "a", DIT_F32, DIT_SHAPE(2, 3)), b = dit_input(g, "b", DIT_F32, DIT_SHAPE(4, 3));
    DIT_SCOPE (g, "blocks.3") {
        dit_tensor sum = dit_add(g, a, b);
        assert_true(dit_is_none(sum));
        dit_mul(g, sum, a);
    }
    assert_non_null(strstr(dit_graph_error(g)->message, "blocks.3: "));
    assert_non_null(strstr(dit_graph_error(g)->message, "(2, 3) and (4, 3)"));
    dit_graph_free(g);
}

static void a_weight_of_another_shape_is_named(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_weights *weights = dit_weights_new();
    assert_int_equal(dit_weights_create(weights, "to_q.weight", DIT_SHAPE(8, 4), &error), DIT_OK);
    dit_graph *g = dit_graph_new(weights);
    DIT_SCOPE (g, "to_q")
        dit_parameter(g, "weight", DIT_SHAPE(8, 8), DIT_INITIAL_ONES);
    assert_string_equal(dit_graph_error(g)->message, "to_q.weight: the file has (8, 4), the model needs (8, 8)");
    dit_graph_free(g);

    g = dit_graph_new(weights);
    dit_parameter(g, "to_k.weight", DIT_SHAPE(8, 8), DIT_INITIAL_ONES);
    assert_int_equal(dit_graph_error(g)->status, DIT_BAD_FILE);
    assert_non_null(strstr(dit_graph_error(g)->message, "to_k.weight: the file lacks"));
    dit_graph_free(g);
    dit_weights_free(weights);
}

static void unused_weights_are_named(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_weights *weights = dit_weights_new();
    dit_weights_create(weights, "used", DIT_SHAPE(1), &error);
    dit_weights_create(weights, "embeddings.position_ids", DIT_SHAPE(1), &error);
    dit_weights_create(weights, "forgotten", DIT_SHAPE(1), &error);
    dit_graph *g = dit_graph_new(weights);
    dit_parameter(g, "used", DIT_SHAPE(1), DIT_INITIAL_ONES);
    const char *const buffers[] = {"position_ids", NULL};
    assert_int_equal(dit_weights_check_all_used(weights, buffers, &error), DIT_BAD_FILE);
    assert_string_equal(error.message, "the model does not use 1 tensor of the file: forgotten");
    dit_graph_free(g);
    dit_weights_free(weights);
}

static dit_tensor twice(dit_graph *g, const char *name, dit_tensor value, void *context)
{
    (*(int *)context)++;
    assert_non_null(strstr(name, ".out"));
    return dit_affine(g, value, 2, 0);
}

static void taps_are_read_and_replaced(void **state)
{
    (void)state;
    int calls = 0;
    dit_graph *g = dit_graph_new(NULL);
    dit_tap_on(g, "blocks.*.out", twice, &calls);
    dit_tensor x = dit_input(g, "x", DIT_F32, DIT_SHAPE(2)), kept[2];
    for (int i = 0; i < 2; i++)
        DIT_SCOPE (g, "blocks.%d", i) {
            x = dit_tap(g, "hidden", dit_exp(g, x));
            kept[i] = x = dit_tap(g, "out", x);
        }
    assert_int_equal(calls, 2);
    assert_int_equal(dit_tap_count(g), 4);
    assert_string_equal(dit_tap_name(g, 3), "blocks.1.out");
    assert_int_equal(dit_tap_read(g, "blocks.0.out").id, kept[0].id);
    assert_true(dit_is_none(dit_tap_read(g, "blocks.1.outer")));
    assert_non_null(strstr(dit_graph_error(g)->message, "the nearest is \"blocks.1.out\""));
    dit_graph_free(g);
}

static void shapes_beyond_any_memory_are_refused(void **state)
{
    (void)state;
    dit_graph *g = dit_graph_new(NULL);
    dit_input(g, "x", DIT_F32, DIT_SHAPE(1ll << 40, 1ll << 40));
    assert_int_equal(dit_graph_error(g)->status, DIT_NO_MEMORY);
    dit_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_the_scopes),
        cmocka_unit_test(a_parameter_declared_twice_is_one),
        cmocka_unit_test(the_first_error_stays_with_its_scope),
        cmocka_unit_test(a_weight_of_another_shape_is_named),
        cmocka_unit_test(unused_weights_are_named),
        cmocka_unit_test(taps_are_read_and_replaced),
        cmocka_unit_test(shapes_beyond_any_memory_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
