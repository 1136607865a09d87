// Classifier-free guidance: the combination, the channels it leaves alone, the interval, and rescaling.
#include "sample/guidance.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
// after the above
#include <cmocka.h>

enum { BATCH = 2, CHANNELS = 3, INNER = 4, N = BATCH * CHANNELS * INNER };
static const dit_sample_size size = {BATCH, CHANNELS, INNER};

static void fill(float *without, float *with)
{
    for (int i = 0; i < N; i++) {
        without[i] = sinf((float)i);
        with[i] = cosf(1.7f * (float)i);
    }
}

static void guided_channels_are_combined_and_others_kept(void **state)
{
    (void)state;
    float without[N], with[N], out[N];
    fill(without, with);
    dit_guidance g = dit_guidance_of(4);
    dit_guidance_combine(&g, without, with, &size, 2, out);
    for (int i = 0; i < N; i++) {
        bool guided = i % (CHANNELS * INNER) < 2 * INNER;
        assert_true(out[i] == (guided ? without[i] + 4 * (with[i] - without[i]) : with[i]));
    }
    dit_guidance_combine(&g, without, with, &size, 2, with);
    assert_memory_equal(with, out, sizeof out);
}

static void rescaling_restores_the_deviation_of_the_conditional_answer(void **state)
{
    (void)state;
    float without[N], with[N], out[N];
    fill(without, with);
    dit_guidance g = dit_guidance_of(7.5);
    g.rescale = 1;
    dit_guidance_combine(&g, without, with, &size, CHANNELS, out);
    for (int b = 0; b < BATCH; b++) {
        double mean[2] = {0}, square[2] = {0};
        for (int i = 0; i < N / BATCH; i++) {
            double x[2] = {(double)out[b * N / BATCH + i], (double)with[b * N / BATCH + i]};
            for (int j = 0; j < 2; j++)
                mean[j] += x[j] / (N / BATCH), square[j] += x[j] * x[j] / (N / BATCH);
        }
        double first = square[0] - mean[0] * mean[0], second = square[1] - mean[1] * mean[1];
        assert_true(fabs(first / second - 1) < 1e-5);
    }
    float plain[N], half[N];
    g.rescale = 0;
    dit_guidance_combine(&g, without, with, &size, CHANNELS, plain);
    g.rescale = 0.25;
    dit_guidance_combine(&g, without, with, &size, CHANNELS, half);
    for (int i = 0; i < N; i++)
        assert_true(fabsf(half[i] - (0.25f * out[i] + 0.75f * plain[i])) < 1e-5f);
}

static void guidance_acts_inside_its_interval_only(void **state)
{
    (void)state;
    dit_guidance g = dit_guidance_of(3), none = dit_guidance_of(1);
    assert_true(dit_guidance_acts(&g, 0) && dit_guidance_acts(&g, 1));
    assert_false(dit_guidance_acts(&none, 0.5));
    g.low = 0.2, g.high = 0.6;
    assert_true(dit_guidance_acts(&g, 0.2) && dit_guidance_acts(&g, 0.6));
    assert_false(dit_guidance_acts(&g, 0.19) || dit_guidance_acts(&g, 0.61));
}

static void both_halves_get_the_same_state(void **state)
{
    (void)state;
    float x[3] = {1, 2, 3}, both[6] = {0};
    dit_guidance_double(x, 3, both);
    assert_memory_equal(both, x, sizeof x);
    assert_memory_equal(both + 3, x, sizeof x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guided_channels_are_combined_and_others_kept),
        cmocka_unit_test(rescaling_restores_the_deviation_of_the_conditional_answer),
        cmocka_unit_test(guidance_acts_inside_its_interval_only),
        cmocka_unit_test(both_halves_get_the_same_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
