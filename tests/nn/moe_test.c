// tests/nn/moe_test.c: routed experts give what they would if every expert computed every token, adapters included, and
// their work is that of the tokens routed to them.
#include "../io/support.h"
#include "base/random.h"
#include "graph/plan.h"
#include "nn/moe.h"
#include <math.h>

enum { B = 2, T = 13, C = 8, WIDTH = 24, SHARED = 12, EXPERTS = 5, ACTIVE = 2, RANK = 3 };
static const char *const NAMES[] = {"w1", "w3", "w2"};
static const nn_moe_options OPTIONS = {EXPERTS, ACTIVE, WIDTH, SHARED, NAMES};

// The definition: every expert computes every token, and zeros take the place of scores that were not the best.
static dit_tensor all_experts(dit_graph *g, dit_tensor x)
{
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "ff") {
        y = nn_swiglu(g, "shared_experts", x, SHARED, NAMES);
        dit_tensor scores = dit_softmax(g, nn_linear(g, "gate", x, EXPERTS, false), -1); // (B, T, EXPERTS)
        dit_tensor best = dit_top_k(g, scores, ACTIVE), least = dit_slice(g, best, 2, ACTIVE - 1, 1, 1);
        scores = dit_where(g, dit_less(g, scores, least), dit_scalar(g, 0), scores);
        for (int i = 0; i < EXPERTS; i++) {
            char name[16];
            snprintf(name, sizeof name, "experts.%d", i);
            dit_tensor h = nn_swiglu(g, name, x, WIDTH, NAMES);
            y = dit_add(g, y, dit_mul(g, h, dit_slice(g, scores, 2, i, 1, 1)));
        }
    }
    return y;
}

// A random tensor of the set.
static void add_random(dit_weights *weights, const char *name, dit_shape shape)
{
    dit_error error = {0};
    dit_weights_create(weights, name, shape, &error);
    assert_fine(error);
    float *x = dit_weights_find(weights, name)->array.data;
    for (int64_t i = 0; i < dit_shape_count(&shape); i++)
        x[i] = dit_counter_uniform(7, (uint64_t)dit_weights_count(weights), (uint64_t)i) - 0.5f;
}

static dit_weights *random_weights(void)
{
    dit_weights *weights = dit_weights_new();
    dit_graph *g = dit_graph_new(NULL);
    dit_error error = {0};
    all_experts(g, dit_input(g, "x", DIT_F32, DIT_SHAPE(B, T, C)));
    dit_parameters_create(g, weights, 1, &error);
    assert_fine(error);
    add_random(weights, "ff.experts.1.w1.lora.0.down.weight", DIT_SHAPE(RANK, C));
    add_random(weights, "ff.experts.1.w1.lora.0.up.weight", DIT_SHAPE(WIDTH, RANK));
    add_random(weights, "ff.experts.1.w1.lora.0.row_factor", DIT_SHAPE(WIDTH));
    add_random(weights, "ff.experts.4.w2.lora.0.down.weight", DIT_SHAPE(RANK, WIDTH));
    add_random(weights, "ff.experts.4.w2.lora.0.up.weight", DIT_SHAPE(C, RANK));
    add_random(weights, "ff.experts.4.w2.lora.0.row_factor", DIT_SHAPE(C));
    dit_graph_free(g);
    return weights;
}

// Runs nn_moe, or the definition, on tokens `x`; the plan's output is "y".
static dit_plan *run(dit_weights *weights, bool routed, const float *x)
{
    dit_graph *g = dit_graph_new(weights);
    dit_plan *plan = NULL;
    dit_error error = {0};
    dit_tensor in = dit_input(g, "x", DIT_F32, DIT_SHAPE(B, T, C));
    dit_output(g, "y", routed ? nn_moe(g, "ff", in, &OPTIONS) : all_experts(g, in));
    dit_plan_new(g, weights, NULL, &plan, &error);
    assert_fine(error);
    memcpy(dit_plan_input(plan, "x").data, x, B * T * C * sizeof *x);
    dit_plan_run(plan, NULL, NULL, &error);
    assert_fine(error);
    dit_graph_free(g);
    return plan;
}

static void tokens_get_what_their_experts_make_of_them(void **state)
{
    (void)state;
    float x[B * T * C];
    dit_weights *weights = random_weights();
    for (int i = 0; i < B * T * C; i++)
        x[i] = 4 * dit_counter_uniform(3, 0, (uint64_t)i) - 2;
    dit_plan *routed = run(weights, true, x), *all = run(weights, false, x);
    const float *a = dit_plan_output(routed, "y").data, *b = dit_plan_output(all, "y").data;
    for (int i = 0; i < B * T * C; i++)
        assert_true(fabsf(a[i] - b[i]) < 1e-6f);
    double routed_flops = dit_plan_figures_of(routed).flops, flops = dit_plan_figures_of(all).flops;
    double experts = 2.0 * 3 * B * T * WIDTH * C * EXPERTS;
    assert_true(flops - routed_flops > 0.99 * experts * (EXPERTS - ACTIVE) / EXPERTS);
    dit_plan_free(routed);
    dit_plan_free(all);
    dit_weights_free(weights);
}

// Equal tokens choose equal experts: the others have no row at all.
static void an_expert_may_be_chosen_by_none_or_by_all(void **state)
{
    (void)state;
    float x[B * T * C];
    dit_weights *weights = random_weights();
    for (int i = 0; i < B * T * C; i++)
        x[i] = 0.3f * (float)(i % C) - 1;
    dit_plan *routed = run(weights, true, x), *all = run(weights, false, x);
    const float *a = dit_plan_output(routed, "y").data, *b = dit_plan_output(all, "y").data;
    for (int i = 0; i < B * T * C; i++)
        assert_true(fabsf(a[i] - b[i]) < 1e-6f && a[i] == a[i % C]);
    dit_plan_free(routed);
    dit_plan_free(all);
    dit_weights_free(weights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_get_what_their_experts_make_of_them),
        cmocka_unit_test(an_expert_may_be_chosen_by_none_or_by_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
