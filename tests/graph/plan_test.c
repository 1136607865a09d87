// tests/graph/plan_test.c: plans: fusion, folding, memory, in-place, gradients and recomputation, runs without
// allocation.
#include "graph/ops.h"
#include "graph/plan.h"
#include "nn/nn.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "allocations.h"

enum { B = 2, T = 24, C = 32, HEADS = 4, LAYERS = 3 };

static void fill(dit_array a, unsigned seed)
{
    for (int64_t i = 0; i < dit_shape_count(&a.shape); i++) {
        seed = seed * 1664525u + 1013904223u;
        ((float *)a.data)[i] = (float)(seed >> 8) * 0x1p-23f - 1;
    }
}

// A small transformer with modulation, attention and feed-forward: every fusion has something to do.
static dit_tensor network(dit_graph *g, dit_tensor x, dit_tensor condition, bool recompute)
{
    int split[3] = {C / HEADS, 0, 0};
    dit_tensor positions = dit_input(g, "positions", DIT_F32, DIT_SHAPE(T, 1));
    const nn_attention_options attention = {.heads = HEADS,
                                            .head_width = C / HEADS,
                                            .qk_norm = true,
                                            .qk_norm_eps = 1e-6f,
                                            .rope = dit_rope_table(g, positions, 1, split, 10000, DIT_F32)};
    if (recompute)
        dit_recompute_scopes(g, "blocks.*");
    for (int i = 0; i < LAYERS; i++)
        DIT_SCOPE (g, "blocks.%d", i) {
            dit_tensor m[3];
            nn_chunk(g,
                     dit_reshape(g, nn_linear(g, "mod", dit_silu(g, condition), 3 * C, true), DIT_SHAPE(B, 1, 3 * C)),
                     -1, 3, m);
            dit_tensor h = nn_modulate(g, nn_layer_norm(g, NULL, x, 1e-6f), m[0], m[1]);
            x = nn_gated_add(g, x, m[2], nn_attention(g, "attn", h, DIT_NONE, &attention));
            x = dit_tap(g, "out",
                        dit_add(g, x, nn_feed_forward(g, "ff", nn_rms_norm(g, "norm", x, 1e-6f), 4 * C, NN_GELU_TANH)));
        }
    return x;
}

struct built {
    dit_weights *weights;
    dit_plan *plan;
};

static dit_tensor inputs_and_network(dit_graph *g, bool recompute)
{
    dit_tensor x = dit_input(g, "x", DIT_F32, DIT_SHAPE(B, T, C)), c = dit_input(g, "c", DIT_F32, DIT_SHAPE(B, C));
    return network(g, x, c, recompute);
}

static struct built build(bool gradients, bool recompute, dit_plan_options options)
{
    dit_error error = {0};
    struct built b = {.weights = dit_weights_new()};
    dit_graph *g = dit_graph_new(NULL);
    dit_tensor y = inputs_and_network(g, recompute);
    dit_output(g, "y", y);
    assert_string_equal(dit_graph_error(g)->message, "");
    assert_int_equal(dit_parameters_create(g, b.weights, 5, &error), DIT_OK);
    if (gradients) {
        int n = dit_parameter_count(g);
        dit_tensor of[200], d[200];
        for (int i = 0; i < n; i++)
            of[i] = dit_parameter_at(g, i);
        // A loss at a tap beside the one at the end.
        dit_tensor loss = dit_add(g, dit_mean(g, dit_square(g, y), 7, false),
                                  dit_mean(g, dit_square(g, dit_tap_read(g, "blocks.1.out")), 7, false));
        assert_int_equal(dit_graph_gradient(g, loss, of, n, d), DIT_OK);
        for (int i = 0; i < n; i++)
            dit_output(g, dit_parameter_name(g, of[i]), d[i]);
    }
    dit_plan_new(g, b.weights, &options, &b.plan, &error);
    assert_string_equal(error.message, "");
    dit_graph_free(g);
    fill(dit_plan_input(b.plan, "x"), 1);
    fill(dit_plan_input(b.plan, "c"), 2);
    float *positions = dit_plan_input(b.plan, "positions").data;
    for (int t = 0; t < T; t++)
        positions[t] = (float)t;
    assert_int_equal(dit_plan_run(b.plan, NULL, NULL, &error), DIT_OK);
    return b;
}

static void destroy(struct built *b)
{
    dit_plan_free(b->plan);
    dit_weights_free(b->weights);
}

static double largest_difference(dit_array a, dit_array b)
{
    double most = 0;
    assert_true(dit_shape_equal(&a.shape, &b.shape));
    for (int64_t i = 0; i < dit_shape_count(&a.shape); i++)
        most = fmax(most, fabs((double)((float *)a.data)[i] - (double)((float *)b.data)[i]));
    return most;
}

static void fusion_changes_speed_and_not_results(void **state)
{
    (void)state;
    struct built plain = build(false, false, (dit_plan_options){.no_fusion = true});
    struct built fused = build(false, false, (dit_plan_options){0});
    struct built frozen = build(false, false, (dit_plan_options){.frozen = true});
    dit_plan_figures p = dit_plan_figures_of(plain.plan), f = dit_plan_figures_of(fused.plan);
    // A block: norm-modulate takes 3, two qk-norm-ropes 1 each, gelu 1, gate and residual 2, the second residual 1.
    assert_int_equal(p.fused, 0);
    assert_int_equal(f.fused, LAYERS * 9);
    assert_int_equal(p.steps - f.steps, LAYERS * 9);
    assert_true(f.arena_bytes < f.replaced_bytes);
    assert_true(largest_difference(dit_plan_output(plain.plan, "y"), dit_plan_output(fused.plan, "y")) < 2e-6);
    assert_true(largest_difference(dit_plan_output(plain.plan, "y"), dit_plan_output(frozen.plan, "y")) < 2e-6);
    destroy(&plain);
    destroy(&fused);
    destroy(&frozen);
}

static void a_run_allocates_nothing_and_repeats_itself(void **state)
{
    (void)state;
    dit_error error = {0};
    struct built b = build(true, false, (dit_plan_options){0});
    float before[B * T * C];
    memcpy(before, dit_plan_output(b.plan, "y").data, sizeof before);
    dit_plan_run(b.plan, NULL, NULL, &error);
    long counted = allocations;
    dit_plan_run(b.plan, NULL, NULL, &error);
    assert_int_equal(allocations, counted);
    assert_memory_equal(before, dit_plan_output(b.plan, "y").data, sizeof before);
    destroy(&b);
}

static void recomputed_blocks_give_the_same_gradients_in_less_memory(void **state)
{
    (void)state;
    struct built kept = build(true, false, (dit_plan_options){0}), again = build(true, true, (dit_plan_options){0});
    dit_plan_figures k = dit_plan_figures_of(kept.plan), r = dit_plan_figures_of(again.plan);
    assert_true(r.steps > k.steps);
    assert_true(r.arena_bytes < k.arena_bytes);
    for (int i = 0; i < dit_weights_count(kept.weights); i++) {
        const char *name = dit_weights_at(kept.weights, i)->name;
        assert_true(largest_difference(dit_plan_output(kept.plan, name), dit_plan_output(again.plan, name)) < 1e-7);
    }
    destroy(&kept);
    destroy(&again);
}

// The loss at the middle tap reaches the first blocks only through them, and the gradient is that of the whole.
static void gradients_match_finite_differences(void **state)
{
    (void)state;
    dit_error error = {0};
    struct built b = build(true, false, (dit_plan_options){0});
    dit_weight *w = dit_weights_find(b.weights, "blocks.0.attn.to_v.weight");
    float *at = &((float *)w->array.data)[5], kept = *at;
    double slope = ((float *)dit_plan_output(b.plan, w->name).data)[5], loss[2];
    dit_graph *g = dit_graph_new(b.weights);
    dit_tensor y = inputs_and_network(g, false);
    dit_output(g, "loss",
               dit_add(g, dit_mean(g, dit_square(g, y), 7, false),
                       dit_mean(g, dit_square(g, dit_tap_read(g, "blocks.1.out")), 7, false)));
    dit_plan *p = NULL;
    assert_int_equal(dit_plan_new(g, b.weights, NULL, &p, &error), DIT_OK);
    fill(dit_plan_input(p, "x"), 1);
    fill(dit_plan_input(p, "c"), 2);
    memcpy(dit_plan_input(p, "positions").data, dit_plan_input(b.plan, "positions").data, T * sizeof(float));
    for (int side = 0; side < 2; side++) {
        *at = kept + (side ? 0.02f : -0.02f);
        dit_plan_run(p, NULL, NULL, &error);
        loss[side] = *(float *)dit_plan_output(p, "loss").data;
    }
    assert_true(fabs((loss[1] - loss[0]) / 0.04 - slope) < 0.02 * fabs(slope) + 1e-5);
    dit_plan_free(p);
    dit_graph_free(g);
    destroy(&b);
}

static int folded_nodes(bool with_more)
{
    dit_error error = {0};
    dit_graph *g = dit_graph_new(NULL);
    dit_tensor x = dit_input(g, "x", DIT_F32, DIT_SHAPE(3));
    dit_output(g, "y", dit_mul(g, x, dit_exp(g, dit_filled(g, DIT_SHAPE(3), 2))));
    if (with_more)
        dit_mul(g, x, dit_cos(g, dit_filled(g, DIT_SHAPE(3), 4)));
    dit_plan *p = NULL;
    assert_int_equal(dit_plan_new(g, NULL, NULL, &p, &error), DIT_OK);
    int folded = dit_plan_figures_of(p).folded;
    dit_plan_free(p);
    dit_graph_free(g);
    return folded;
}

static void what_no_output_needs_is_not_folded(void **state)
{
    (void)state;
    assert_true(folded_nodes(false) > 0);
    assert_int_equal(folded_nodes(true), folded_nodes(false));
}

static void constants_are_folded(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_graph *g = dit_graph_new(NULL);
    dit_tensor x = dit_input(g, "x", DIT_F32, DIT_SHAPE(3));
    dit_tensor k = dit_exp(g, dit_affine(g, dit_filled(g, DIT_SHAPE(3), 2), 1, 1)); // e^3
    dit_output(g, "y", dit_mul(g, x, k));
    dit_output(g, "k", k);
    dit_plan *p = NULL;
    assert_int_equal(dit_plan_new(g, NULL, NULL, &p, &error), DIT_OK);
    ((float *)dit_plan_input(p, "x").data)[1] = 2;
    dit_plan_run(p, NULL, NULL, &error);
    assert_float_equal(((float *)dit_plan_output(p, "y").data)[1], 2 * exp(3), 1e-4);
    assert_float_equal(((float *)dit_plan_output(p, "k").data)[2], exp(3), 1e-4);
    dit_plan_figures f = dit_plan_figures_of(p);
    assert_true(f.folded >= 2);
    assert_int_equal(f.steps, 2); // the product, and the copy that hands out the constant
    dit_plan_free(p);
    dit_graph_free(g);
}

static void what_is_detached_gets_no_gradient(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_graph *g = dit_graph_new(NULL);
    dit_tensor x = dit_input(g, "x", DIT_F32, DIT_SHAPE(1)), d;
    dit_tensor loss = dit_sum(g, dit_mul(g, x, dit_detach(g, dit_square(g, x))), 1, false); // x * [x^2]
    dit_graph_gradient(g, loss, &x, 1, &d);
    dit_output(g, "d", d);
    dit_plan *p = NULL;
    assert_int_equal(dit_plan_new(g, NULL, NULL, &p, &error), DIT_OK);
    *(float *)dit_plan_input(p, "x").data = 3;
    dit_plan_run(p, NULL, NULL, &error);
    assert_float_equal(*(float *)dit_plan_output(p, "d").data, 9, 1e-6); // not 27
    dit_plan_free(p);
    dit_graph_free(g);
}

static void views_cost_no_step(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_graph *g = dit_graph_new(NULL);
    dit_tensor x = dit_input(g, "x", DIT_F32, DIT_SHAPE(4, 6));
    dit_tensor t = dit_transpose(g, dit_slice(g, x, 1, 1, 4, 1), 0, 1); // (4, 4)
    dit_output(g, "y", dit_affine(g, t, 2, 0));
    dit_plan *p = NULL;
    assert_int_equal(dit_plan_new(g, NULL, NULL, &p, &error), DIT_OK);
    assert_int_equal(dit_plan_figures_of(p).steps, 1);
    for (int i = 0; i < 24; i++)
        ((float *)dit_plan_input(p, "x").data)[i] = (float)i;
    dit_plan_run(p, NULL, NULL, &error);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            assert_float_equal(((float *)dit_plan_output(p, "y").data)[i * 4 + j], 2 * (j * 6 + i + 1), 0);
    dit_plan_free(p);
    dit_graph_free(g);
}

static bool at_once(void *context)
{
    (void)context;
    return true;
}

static void a_run_can_be_cancelled(void **state)
{
    (void)state;
    dit_error error = {0};
    struct built b = build(false, false, (dit_plan_options){0});
    assert_int_equal(dit_plan_run(b.plan, at_once, NULL, &error), DIT_CANCELLED);
    destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fusion_changes_speed_and_not_results),
        cmocka_unit_test(a_run_allocates_nothing_and_repeats_itself),
        cmocka_unit_test(recomputed_blocks_give_the_same_gradients_in_less_memory),
        cmocka_unit_test(gradients_match_finite_differences),
        cmocka_unit_test(constants_are_folded),
        cmocka_unit_test(what_no_output_needs_is_not_folded),
        cmocka_unit_test(what_is_detached_gets_no_gradient),
        cmocka_unit_test(views_cost_no_step),
        cmocka_unit_test(a_run_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
