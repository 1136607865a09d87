// tests/train/objective_test.c: the laws of training objectives: how times are distributed, what the coefficients of
// noisy samples and posteriors say of each other, and that a network which is right has no loss.
#include "../io/support.h"
#include "graph/ops.h"
#include "graph/plan.h"
#include "train/objective.h"
#include "train/recipe.h"
#include <math.h>

enum { DRAWS = 20000 };

static dit_objective prepared(dit_objective o)
{
    dit_error error = {0};
    o.beta_start = o.beta_start ? o.beta_start : 1e-4;
    o.beta_end = o.beta_end ? o.beta_end : 0.02;
    o.steps = o.steps ? o.steps : 1000;
    o.least_time = o.least_time ? o.least_time : 0.05;
    dit_objective_prepare(&o, &error);
    assert_fine(error);
    return o;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// The largest distance between the distribution of `x` and the uniform one on (0, 1). For DRAWS values it is above
// 0.0138 once in a thousand times (Kolmogorov).
static double distance_from_uniform(double *x)
{
    double largest = 0;
    qsort(x, DRAWS, sizeof *x, by_size);
    for (int i = 0; i < DRAWS; i++)
        largest = fmax(largest, fmax(x[i] - (double)i / DRAWS, (i + 1.0) / DRAWS - x[i]));
    return largest;
}

static void times_of_a_flow_are_distributed_as_asked(void **state)
{
    (void)state;
    static double x[DRAWS];
    dit_objective uniform = prepared((dit_objective){.process = DIT_FLOW, .target = DIT_TARGET_VELOCITY});
    for (uint64_t i = 0; i < DRAWS; i++) {
        x[i] = dit_objective_time(&uniform, 5, i);
        assert_true(x[i] > 0 && x[i] < 1);
        assert_true(dit_objective_timestep(&uniform, x[i]) == 1000 * x[i]);
    }
    assert_true(distance_from_uniform(x) < 0.0138);
    const double shapes[][2] = {{0, 1}, {0.4, 1}, {-0.8, 0.5}, {2, 3}};
    for (int n = 0; n < 4; n++) {
        dit_objective o = prepared((dit_objective){.process = DIT_FLOW,
                                                   .target = DIT_TARGET_VELOCITY,
                                                   .times = DIT_TIMES_LOGIT_NORMAL,
                                                   .logit_mean = shapes[n][0],
                                                   .logit_std = shapes[n][1]});
        for (uint64_t i = 0; i < DRAWS; i++) {
            double t = dit_objective_time(&o, 6, i);
            assert_true(t > 0 && t < 1);
            double z = (log(t / (1 - t)) - shapes[n][0]) / shapes[n][1];
            x[i] = 0.5 * erfc(-z / sqrt(2));
        }
        assert_true(distance_from_uniform(x) < 0.0138);
    }
}

static void times_of_a_diffusion_are_its_steps_alike(void **state)
{
    (void)state;
    enum { STEPS = 50 };
    int count[STEPS] = {0};
    dit_objective o = prepared((dit_objective){.steps = STEPS});
    for (uint64_t i = 0; i < DRAWS; i++) {
        double t = dit_objective_time(&o, 7, i);
        assert_true(t >= 0 && t < STEPS && t == floor(t));
        assert_true(dit_objective_timestep(&o, t) == t);
        count[(int)t]++;
    }
    double chi = 0, wanted = (double)DRAWS / STEPS;
    for (int t = 0; t < STEPS; t++)
        chi += (count[t] - wanted) * (count[t] - wanted) / wanted;
    assert_true(chi < 85.4); // once in a thousand times above it, with 49 degrees of freedom
    dit_objective_release(&o);
}

static void times_depend_on_seed_and_place_alone(void **state)
{
    (void)state;
    dit_objective o = prepared((dit_objective){.process = DIT_FLOW, .target = DIT_TARGET_VELOCITY});
    int same = 0;
    for (uint64_t i = 0; i < 100; i++) {
        assert_true(dit_objective_time(&o, 5, i) == dit_objective_time(&o, 5, i));
        same += dit_objective_time(&o, 5, i) == dit_objective_time(&o, 6, i);
        same += dit_objective_time(&o, 5, i) == dit_objective_time(&o, 5, i + 100);
    }
    assert_int_equal(same, 0);
}

static void is_near(double a, double b, double bound)
{
    if (!(fabs(a - b) <= bound * fmax(fabs(b), 1e-12))) {
        print_error("%.9g is not %.9g\n", a, b);
        fail();
    }
}

static void noise_levels_are_those_of_the_process(void **state)
{
    (void)state;
    dit_objective o = prepared((dit_objective){.learned_variance = true});
    dit_objective flow = prepared((dit_objective){.process = DIT_FLOW, .target = DIT_TARGET_VELOCITY});
    double before = 1;
    for (int t = 0; t < o.steps; t++) {
        float c[DIT_COEFFICIENTS];
        double beta = 1e-4 + (0.02 - 1e-4) * t / 999.0, abar = before * (1 - beta);
        dit_objective_coefficients(&o, t, c);
        is_near(c[DIT_SIGNAL], sqrt(abar), 1e-6);
        is_near(c[DIT_SIGMA], sqrt(1 - abar), 1e-6);
        // The mean of x_{t-1} given x_t without noise is x_{t-1} without noise (Ho et al. 2020, equation 7).
        is_near((double)c[DIT_POSTERIOR_SAMPLE] + (double)c[DIT_POSTERIOR_STATE] * sqrt(abar), sqrt(before), 1e-6);
        is_near(c[DIT_LOG_VARIANCE_HIGH], log(beta), 1e-6);
        if (t > 0)
            is_near(c[DIT_LOG_VARIANCE_LOW], log(beta * (1 - before) / (1 - abar)), 1e-6);
        assert_true(c[DIT_LOG_VARIANCE_LOW] < c[DIT_LOG_VARIANCE_HIGH]);
        assert_true(c[DIT_IS_FIRST_STEP] == (t == 0) && c[DIT_WEIGHT] == 1);
        before = abar;
    }
    float first[DIT_COEFFICIENTS], second[DIT_COEFFICIENTS];
    dit_objective_coefficients(&o, 0, first);
    dit_objective_coefficients(&o, 1, second);
    assert_true(first[DIT_LOG_VARIANCE_LOW] == second[DIT_LOG_VARIANCE_LOW]); // its own is log 0
    for (double t = 0.001; t < 1; t += 0.01) {
        float c[DIT_COEFFICIENTS];
        dit_objective_coefficients(&flow, t, c);
        is_near(c[DIT_SIGNAL], 1 - t, 1e-7);
        is_near(c[DIT_SIGMA], t, 1e-7);
        assert_true(c[DIT_WEIGHT] == 1);
    }
    dit_objective_release(&o);
}

// The same error of x_0 weighs the same whatever the network predicts: errors of eps are snr times those of x_0, errors
// of v (snr + 1) times (Hang et al. 2023, arXiv 2303.09556, section 3.3).
static void min_snr_weighs_errors_of_the_sample_alike(void **state)
{
    (void)state;
    const double gamma = 5;
    dit_objective o[3];
    for (int i = 0; i < 3; i++)
        o[i] = prepared((dit_objective){.target = (dit_target)i, .min_snr_gamma = gamma});
    for (int t = 0; t < 1000; t += 7) {
        float c[3][DIT_COEFFICIENTS];
        for (int i = 0; i < 3; i++)
            dit_objective_coefficients(&o[i], t, c[i]);
        double snr = pow((double)c[0][DIT_SIGNAL] / (double)c[0][DIT_SIGMA], 2);
        is_near(c[DIT_TARGET_SAMPLE][DIT_WEIGHT], fmin(snr, gamma), 1e-5);
        is_near((double)c[DIT_TARGET_NOISE][DIT_WEIGHT] * snr, fmin(snr, gamma), 1e-5);
        is_near((double)c[DIT_TARGET_VELOCITY][DIT_WEIGHT] * (snr + 1), fmin(snr, gamma), 1e-5);
    }
    for (int i = 0; i < 3; i++)
        dit_objective_release(&o[i]);
}

static void velocity_loss_weighs_by_time_but_not_without_bound(void **state)
{
    (void)state;
    dit_objective o = prepared(
        (dit_objective){.process = DIT_FLOW, .target = DIT_TARGET_SAMPLE, .velocity_loss = true, .least_time = 0.1});
    const double times[] = {1e-6, 0.05, 0.1, 0.25, 0.5, 0.999};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        float c[DIT_COEFFICIENTS];
        dit_objective_coefficients(&o, times[i], c);
        is_near(c[DIT_WEIGHT], 1 / pow(fmax(times[i], 0.1), 2), 1e-6);
    }
}

// What a network that knows everything would say, and, with a learned variance, -1: the posterior's own.
static double loss_of_the_truth(const dit_objective *o, double time, float wrong)
{
    enum { B = 2, C = 3, N = 4, COUNT = B * C * N };
    float x0[COUNT], noise[COUNT], output[2 * COUNT], coefficients[B][DIT_COEFFICIENTS];
    dit_error error = {0};
    for (int b = 0; b < B; b++)
        dit_objective_coefficients(o, time, coefficients[b]);
    double signal = (double)coefficients[0][DIT_SIGNAL], sigma = (double)coefficients[0][DIT_SIGMA];
    int values = o->learned_variance ? 2 : 1;
    for (int i = 0; i < COUNT; i++) {
        x0[i] = sinf((float)i), noise[i] = 2 * cosf((float)(3 * i));
        double x = (double)x0[i], n = (double)noise[i];
        double v = o->process == DIT_FLOW ? n - x : signal * n - sigma * x;
        double truth = o->target == DIT_TARGET_NOISE ? n : o->target == DIT_TARGET_SAMPLE ? x : v;
        int b = i / (C * N), rest = i % (C * N);
        output[b * values * C * N + rest] = (float)truth + wrong;
        output[b * values * C * N + (values - 1) * C * N + rest] = o->learned_variance ? -1 : (float)truth + wrong;
    }
    dit_graph *g = dit_graph_new(NULL);
    dit_plan *plan = NULL;
    const dit_shape shape = DIT_SHAPE(B, C, 2, 2);
    dit_tensor tx0 = dit_constant(g, DIT_F32, shape, x0), tn = dit_constant(g, DIT_F32, shape, noise);
    dit_tensor tc = dit_constant(g, DIT_F32, DIT_SHAPE(B, DIT_COEFFICIENTS), coefficients);
    dit_tensor to = dit_constant(g, DIT_F32, DIT_SHAPE(B, values * C, 2, 2), output);
    dit_output(g, "loss", dit_objective_loss(g, o, to, tx0, tn, dit_objective_noisy(g, tx0, tn, tc), tc));
    dit_plan_new(g, NULL, NULL, &plan, &error);
    dit_plan_run(plan, NULL, NULL, &error);
    assert_fine(error);
    double loss = (double)*(const float *)dit_plan_output(plan, "loss").data;
    dit_plan_free(plan);
    dit_graph_free(g);
    return loss;
}

static void a_network_that_is_right_has_no_loss(void **state)
{
    (void)state;
    const dit_objective objectives[] = {
        {.process = DIT_FLOW, .target = DIT_TARGET_VELOCITY},
        {.process = DIT_FLOW, .target = DIT_TARGET_SAMPLE},
        {.process = DIT_FLOW, .target = DIT_TARGET_SAMPLE, .velocity_loss = true},
        {.target = DIT_TARGET_NOISE},
        {.target = DIT_TARGET_SAMPLE},
        {.target = DIT_TARGET_VELOCITY},
        {.target = DIT_TARGET_NOISE, .min_snr_gamma = 5},
        {.target = DIT_TARGET_NOISE, .learned_variance = true},
        {.target = DIT_TARGET_SAMPLE, .learned_variance = true},
        {.target = DIT_TARGET_VELOCITY, .learned_variance = true},
    };
    for (size_t n = 0; n < sizeof objectives / sizeof *objectives; n++) {
        dit_objective o = prepared(objectives[n]);
        const double times[] = {o.process == DIT_FLOW ? 0.01 : 30, o.process == DIT_FLOW ? 0.7 : 700};
        for (int i = 0; i < 2; i++) {
            float c[DIT_COEFFICIENTS];
            dit_objective_coefficients(&o, times[i], c);
            double right = loss_of_the_truth(&o, times[i], 0), wrong = loss_of_the_truth(&o, times[i], 0.5f);
            assert_true(fabs(right) < 2e-6);
            // Every prediction off by a half: a quarter, weighted; a learned variance's bound comes on top of it.
            if (o.learned_variance)
                assert_true(wrong > 0.25);
            else
                is_near(wrong, 0.25 * (double)c[DIT_WEIGHT], 1e-5);
        }
        dit_objective_release(&o);
    }
}

static void contradictions_are_refused_by_key(void **state)
{
    (void)state;
    const struct {
        dit_objective o;
        const char *key;
    } cases[] = {
        {{.process = DIT_FLOW, .target = DIT_TARGET_VELOCITY, .learned_variance = true}, "objective.learned_variance"},
        {{.process = DIT_FLOW, .target = DIT_TARGET_VELOCITY, .min_snr_gamma = 1}, "objective.min_snr_gamma"},
        {{.process = DIT_FLOW, .target = DIT_TARGET_VELOCITY, .velocity_loss = true}, "objective.velocity_loss"},
        {{.target = DIT_TARGET_SAMPLE, .velocity_loss = true}, "objective.velocity_loss"},
        {{.process = DIT_FLOW, .target = DIT_TARGET_NOISE}, "objective.predict"},
        {{.steps = 10, .beta_start = 0.5, .beta_end = 0.1}, "objective"},
        {{.steps = 10, .beta_start = 0.5, .beta_end = 1}, "objective"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_error error = {0};
        dit_objective o = cases[i].o;
        dit_objective_prepare(&o, &error);
        assert_refused(&error, DIT_BAD_ARGUMENT, cases[i].key);
        dit_objective_release(&o);
    }
}

static void rates_warm_up_and_fall(void **state)
{
    (void)state;
    dit_recipe r = {.train = {.rate = 2, .least_rate = 0.5, .warmup = 10, .steps = 110}};
    is_near(dit_recipe_rate(&r, 0), 0.2, 1e-12);
    is_near(dit_recipe_rate(&r, 9), 2, 1e-12);
    is_near(dit_recipe_rate(&r, 60), 2, 1e-12);
    r.train.schedule = DIT_RATE_COSINE;
    is_near(dit_recipe_rate(&r, 4), 1, 1e-12);
    is_near(dit_recipe_rate(&r, 10), 2, 1e-12);
    is_near(dit_recipe_rate(&r, 35), 0.5 + 1.5 * 0.5 * (1 + sqrt(0.5)), 1e-12);
    is_near(dit_recipe_rate(&r, 60), 1.25, 1e-12);
    is_near(dit_recipe_rate(&r, 110), 0.5, 1e-12);
    is_near(dit_recipe_rate(&r, 500), 0.5, 1e-12);
    r.train.schedule = DIT_RATE_LINEAR;
    is_near(dit_recipe_rate(&r, 35), 1.625, 1e-12);
    r.train.warmup = 200; // longer than the run
    is_near(dit_recipe_rate(&r, 50), 2 * 51 / 200.0, 1e-12);
    r.train.warmup = 0;
    is_near(dit_recipe_rate(&r, 0), 2, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_of_a_flow_are_distributed_as_asked),
        cmocka_unit_test(times_of_a_diffusion_are_its_steps_alike),
        cmocka_unit_test(times_depend_on_seed_and_place_alone),
        cmocka_unit_test(noise_levels_are_those_of_the_process),
        cmocka_unit_test(min_snr_weighs_errors_of_the_sample_alike),
        cmocka_unit_test(velocity_loss_weighs_by_time_but_not_without_bound),
        cmocka_unit_test(a_network_that_is_right_has_no_loss),
        cmocka_unit_test(contradictions_are_refused_by_key),
        cmocka_unit_test(rates_warm_up_and_fall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
