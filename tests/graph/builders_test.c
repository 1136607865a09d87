// tests/graph/builders_test.c: what builders do before the op sees it: open extents, axes counted from the end, streams
// of random numbers.
#include "graph/ops.h"
#include "graph/plan.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static dit_graph *new_graph(void)
{
    dit_graph *g = dit_graph_new(NULL);
    assert_non_null(g);
    return g;
}

static void assert_shape(const dit_graph *g, dit_tensor t, dit_shape expected)
{
    char found[160], wanted[160];
    assert_string_equal(dit_shape_text(dit_shape_of(g, t), found), dit_shape_text(&expected, wanted));
}

// Plans and runs a graph whose input "x" holds 1, 2, 3, ...
static dit_plan *run(dit_graph *g)
{
    dit_plan *plan = NULL;
    dit_error error = {0};
    if (dit_graph_error(g)->status || dit_plan_new(g, NULL, &(dit_plan_options){0}, &plan, &error))
        fail_msg("%s%s", dit_graph_error(g)->message, error.message);
    dit_array x = dit_plan_input(plan, "x");
    for (int64_t i = 0; i < dit_shape_count(&x.shape); i++)
        ((float *)x.data)[i] = (float)(i + 1);
    assert_int_equal(dit_plan_run(plan, NULL, NULL, &error), DIT_OK);
    return plan;
}

static const float *output(const dit_plan *plan, const char *name)
{
    const float *data = dit_plan_output(plan, name).data;
    assert_non_null(data);
    return data;
}

static void reshape_works_out_one_open_extent(void **state)
{
    (void)state;
    dit_graph *g = new_graph();
    dit_tensor x = dit_input(g, "x", DIT_F32, DIT_SHAPE(2, 3, 4));
    assert_shape(g, dit_reshape(g, x, DIT_SHAPE(-1, 4)), DIT_SHAPE(6, 4));
    assert_shape(g, dit_reshape(g, x, DIT_SHAPE(2, -1)), DIT_SHAPE(2, 12));
    assert_shape(g, dit_reshape(g, x, DIT_SHAPE(24, -1)), DIT_SHAPE(24, 1));
    assert_int_equal(dit_graph_error(g)->status, DIT_OK);
    dit_graph_free(g);
}

static void assert_reshape_refused(dit_shape x, dit_shape to)
{
    dit_graph *g = new_graph();
    assert_true(dit_is_none(dit_reshape(g, dit_input(g, "x", DIT_F32, x), to)));
    assert_int_equal(dit_graph_error(g)->status, DIT_BAD_ARGUMENT);
    assert_non_null(strstr(dit_graph_error(g)->message, "reshape"));
    dit_graph_free(g);
}

static void reshape_refuses_an_extent_that_cannot_be_worked_out(void **state)
{
    (void)state;
    assert_reshape_refused(DIT_SHAPE(2, 3), DIT_SHAPE(-1, 4));
    assert_reshape_refused(DIT_SHAPE(2, 3), DIT_SHAPE(-1, -1));
    assert_reshape_refused(DIT_SHAPE(0, 3), DIT_SHAPE(0, -1));
    assert_reshape_refused(DIT_SHAPE(2, 3), DIT_SHAPE(-1, INT64_MAX, 4));
}

static void negative_axes_count_from_the_end(void **state)
{
    (void)state;
    dit_graph *g = new_graph();
    dit_tensor x = dit_input(g, "x", DIT_F32, DIT_SHAPE(2, 3, 5));
    assert_shape(g, dit_slice(g, x, -1, 1, 2, 2), DIT_SHAPE(2, 3, 2));
    assert_shape(g, dit_slice_backward(g, x, 9, -2, 0, 1), DIT_SHAPE(2, 9, 5));
    assert_shape(g, dit_concat(g, (dit_tensor[]){x, x}, 2, -3), DIT_SHAPE(4, 3, 5));
    dit_tensor index = dit_input(g, "index", DIT_I64, DIT_SHAPE(2, 3, 7));
    assert_shape(g, dit_gather(g, x, index, -1), DIT_SHAPE(2, 3, 7));
    assert_shape(g, dit_gather_backward(g, dit_gather(g, x, index, -1), index, 5, -1), DIT_SHAPE(2, 3, 5));
    assert_int_equal(dit_graph_error(g)->status, DIT_OK);
    assert_true(dit_is_none(dit_slice(g, x, -4, 0, 1, 1)));
    assert_int_equal(dit_graph_error(g)->status, DIT_BAD_ARGUMENT);
    dit_graph_free(g);
}

static void an_error_keeps_later_builders_from_doing_anything(void **state)
{
    (void)state;
    dit_graph *g = new_graph();
    dit_tensor none = dit_reshape(g, dit_input(g, "x", DIT_F32, DIT_SHAPE(2, 3)), DIT_SHAPE(7));
    char first[sizeof dit_graph_error(g)->message];
    strcpy(first, dit_graph_error(g)->message);
    assert_true(dit_is_none(dit_concat(g, &none, 1, 0)));
    assert_true(dit_is_none(dit_permute(g, none, (int[]){0})));
    assert_true(dit_is_none(dit_repeat(g, none, (int64_t[]){1})));
    assert_true(dit_is_none(dit_patchify(g, none, (int[]){1, 2, 2}, DIT_PATCH_CHANNEL_LAST)));
    assert_true(dit_is_none(dit_top_k(g, none, 3)));
    assert_string_equal(dit_graph_error(g)->message, first);
    dit_graph_free(g);
}

enum { N = 1000 };

// How many of the N values 1, 2, ... a dropout has let through; each of these must be scaled by 1 / (1 - 1/4).
static int kept_of(const float *y, const float *scale_of)
{
    int kept = 0;
    for (int i = 0; i < N; i++) {
        assert_true(y[i] == 0 || y[i] / (float)(i + 1) > 1.3333f);
        assert_true(scale_of[i] * (float)(i + 1) - y[i] <= 1e-3f && y[i] - scale_of[i] * (float)(i + 1) <= 1e-3f);
        kept += y[i] != 0;
    }
    return kept;
}

static void dropouts_of_one_value_draw_different_masks_and_gradients_the_same(void **state)
{
    (void)state;
    dit_graph *g = new_graph();
    const int64_t seed = 12;
    dit_tensor x = dit_input(g, "x", DIT_F32, DIT_SHAPE(N)), s = dit_constant(g, DIT_I64, DIT_SCALAR, &seed);
    dit_tensor a = dit_dropout(g, x, s, 0.25f), b = dit_dropout(g, x, s, 0.25f), da, db;
    dit_output(g, "a", a);
    dit_output(g, "b", b);
    assert_int_equal(dit_graph_gradient(g, dit_sum(g, a, 1, false), &x, 1, &da), DIT_OK);
    assert_int_equal(dit_graph_gradient(g, dit_sum(g, b, 1, false), &x, 1, &db), DIT_OK);
    dit_output(g, "da", da);
    dit_output(g, "db", db);
    dit_plan *plan = run(g);
    int kept = kept_of(output(plan, "a"), output(plan, "da")), other = kept_of(output(plan, "b"), output(plan, "db"));
    assert_in_range(kept, 700, 800); // 750, give or take four deviations of 14
    assert_in_range(other, 700, 800);
    int differ = 0;
    for (int i = 0; i < N; i++)
        differ += output(plan, "a")[i] != output(plan, "b")[i];
    assert_in_range(differ, 300, 450); // 2 * 3/4 * 1/4 of them
    dit_plan_free(plan);
    dit_graph_free(g);
}

static void inverse_rope_turns_back(void **state)
{
    (void)state;
    dit_graph *g = new_graph();
    float positions[5][2] = {{0, 0}, {1, -3}, {2.5f, 7}, {-40, 0.25f}, {3, 300}};
    dit_tensor p = dit_constant(g, DIT_F32, DIT_SHAPE(5, 2), positions);
    dit_tensor table = dit_rope_table(g, p, 2, (int[]){4, 8}, 10000, DIT_F64);
    assert_shape(g, table, DIT_SHAPE(5, 6, 2));
    dit_tensor x = dit_input(g, "x", DIT_F32, DIT_SHAPE(1, 5, 2, 12));
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        dit_tensor turned = dit_rope(g, x, table, interleaved, false);
        dit_output(g, interleaved ? "pairs" : "halves", dit_rope(g, turned, table, interleaved, true));
        dit_output(g, interleaved ? "turned pairs" : "turned halves", turned);
    }
    dit_plan *plan = run(g);
    int moved = 0;
    for (int i = 0; i < 120; i++) {
        assert_float_equal(output(plan, "pairs")[i], (float)(i + 1), 1e-4f);
        assert_float_equal(output(plan, "halves")[i], (float)(i + 1), 1e-4f);
        moved += output(plan, "turned pairs")[i] != (float)(i + 1);
    }
    assert_in_range(moved, 80, 96); // the first token, at the origin, stays
    dit_plan_free(plan);
    dit_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reshape_works_out_one_open_extent),
        cmocka_unit_test(reshape_refuses_an_extent_that_cannot_be_worked_out),
        cmocka_unit_test(negative_axes_count_from_the_end),
        cmocka_unit_test(an_error_keeps_later_builders_from_doing_anything),
        cmocka_unit_test(dropouts_of_one_value_draw_different_masks_and_gradients_the_same),
        cmocka_unit_test(inverse_rope_turns_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
