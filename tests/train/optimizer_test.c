// tests/train/optimizer_test.c: moments in bf16 follow those in f32: rounding at random loses nothing on average.
#include "../io/support.h"
#include "train/optimizer.h"
#include <math.h>

enum { N = 4096, STEPS = 2000 };

struct run {
    dit_weights *weights;
    dit_optimizer optimizer;
    float gradient[N];
};

static void start(struct run *r, dit_dtype moments)
{
    dit_error error = {0};
    const dit_optimizer_options options = {
        .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .moments = moments, .ema_count = 1, .ema = {0.99}};
    r->weights = dit_weights_new();
    assert_non_null(r->weights);
    dit_weights_create(r->weights, "w", DIT_SHAPE(64, 64), &error);
    dit_optimizer_open(&r->optimizer, r->weights, &options, &error);
    assert_fine(error);
    r->optimizer.items[0].gradient = r->gradient;
}

static void stop(struct run *r)
{
    dit_optimizer_close(&r->optimizer);
    dit_weights_free(r->weights);
}

// Gradients that grow slowly from a small start: each step adds a thousandth of what is there already, which rounding
// to nearest would drop.
static void step(struct run *r, int t)
{
    for (int i = 0; i < N; i++)
        r->gradient[i] = 1e-3f * (1 + (float)t / STEPS) * (i % 2 ? 1 : -1);
    dit_optimizer_step(&r->optimizer, 1e-3, 1, dit_optimizer_norm(&r->optimizer, 1));
}

static double mean_of(const struct run *r, const void *values)
{
    dit_dtype dtype = r->optimizer.options.moments;
    double sum = 0;
    for (int i = 0; i < N; i++)
        sum += fabs(dit_element_get(dtype, values, i));
    return sum / N;
}

static void moments_in_bf16_follow_those_in_f32(void **state)
{
    (void)state;
    static struct run whole, half;
    start(&whole, DIT_F32);
    start(&half, DIT_BF16);
    for (int t = 0; t < STEPS; t++) {
        step(&whole, t);
        step(&half, t);
    }
    const dit_optimized *a = &whole.optimizer.items[0], *b = &half.optimizer.items[0];
    double m = mean_of(&half, b->m) / mean_of(&whole, a->m), v = mean_of(&half, b->v) / mean_of(&whole, a->v), w = 0;
    for (int i = 0; i < N; i++)
        w += (double)(b->weight[i] / a->weight[i]) / N;
    print_message("bf16 over f32: first moment %.4f, second %.4f, weights %.4f\n", m, v, w);
    assert_true(fabs(m - 1) < 0.01);
    assert_true(fabs(v - 1) < 0.01);
    assert_true(fabs(w - 1) < 0.01);
    stop(&whole);
    stop(&half);
}

static void rounding_is_the_same_every_time(void **state)
{
    (void)state;
    static struct run first, second;
    start(&first, DIT_BF16);
    start(&second, DIT_BF16);
    for (int t = 0; t < 20; t++) {
        step(&first, t);
        step(&second, t);
    }
    const dit_optimized *a = &first.optimizer.items[0], *b = &second.optimizer.items[0];
    assert_memory_equal(a->m, b->m, N * sizeof(uint16_t));
    assert_memory_equal(a->v, b->v, N * sizeof(uint16_t));
    assert_memory_equal(a->weight, b->weight, N * sizeof(float));
    int different = 0; // neighbours with equal gradients are rounded each in its own way
    for (int i = 2; i < N; i += 2)
        different += ((uint16_t *)a->v)[i] != ((uint16_t *)a->v)[i - 2];
    assert_true(different > N / 20);
    stop(&first);
    stop(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_in_bf16_follow_those_in_f32),
        cmocka_unit_test(rounding_is_the_same_every_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
