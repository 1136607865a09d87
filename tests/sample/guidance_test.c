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
    dit_guidance g = dit_guidance_of(DIT_GUIDANCE_PLAIN, 4);
    dit_guidance_combine(&g, 0, &(dit_guidance_answers){with, without, NULL}, &size, 2, NULL, out);
    for (int i = 0; i < N; i++) {
        bool guided = i % (CHANNELS * INNER) < 2 * INNER;
        assert_true(out[i] == (guided ? without[i] + 4 * (with[i] - without[i]) : with[i]));
    }
    dit_guidance_combine(&g, 0, &(dit_guidance_answers){with, without, NULL}, &size, 2, NULL, with);
    assert_memory_equal(with, out, sizeof out);
}

static void rescaling_restores_the_deviation_of_the_conditional_answer(void **state)
{
    (void)state;
    float without[N], with[N], out[N];
    fill(without, with);
    dit_guidance g = dit_guidance_of(DIT_GUIDANCE_PLAIN, 7.5);
    g.rescale = 1;
    dit_guidance_combine(&g, 0, &(dit_guidance_answers){with, without, NULL}, &size, CHANNELS, NULL, out);
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
    dit_guidance_combine(&g, 0, &(dit_guidance_answers){with, without, NULL}, &size, CHANNELS, NULL, plain);
    g.rescale = 0.25;
    dit_guidance_combine(&g, 0, &(dit_guidance_answers){with, without, NULL}, &size, CHANNELS, NULL, half);
    for (int i = 0; i < N; i++)
        assert_true(fabsf(half[i] - (0.25f * out[i] + 0.75f * plain[i])) < 1e-5f);
}

static void guidance_acts_inside_its_interval_only(void **state)
{
    (void)state;
    dit_guidance g = dit_guidance_of(DIT_GUIDANCE_PLAIN, 3);
    assert_true(dit_guidance_acts(&g, 0, 10) && dit_guidance_acts(&g, 9, 10));
    g.start = 0.25, g.stop = 0.65;
    assert_true(dit_guidance_acts(&g, 2, 10) && dit_guidance_acts(&g, 5, 10));
    assert_false(dit_guidance_acts(&g, 1, 10) || dit_guidance_acts(&g, 6, 10));
}

// Made by diffusers 0.42, guiders (tools/fixtures/guidance.py): two calls on the answers of `fill`, all channels.
static const struct {
    const char *name;
    double scale, parallel, momentum, norm_limit;
    float first[4], second[4]; // elements 0, 7, 13 and 23 of the combined answers
} published[] = {
#include "../fixtures/guidance.inc"
};

static void other_kinds_are_those_of_diffusers(void **state)
{
    (void)state;
    static const int places[4] = {0, 7, 13, 23};
    for (size_t k = 0; k < sizeof published / sizeof *published; k++) {
        dit_guidance_kind kind;
        float without[N], with[N], out[N], average[N] = {0};
        assert_true(dit_guidance_kind_from_name(published[k].name, &kind));
        dit_guidance g = dit_guidance_of(kind, published[k].scale);
        g.parallel = published[k].parallel, g.momentum = published[k].momentum;
        g.norm_limit = published[k].norm_limit;
        for (int call = 0; call < 2; call++) {
            fill(without, with);
            for (int i = 0; call && i < N; i++) // the second call's answers
                without[i] *= without[i], with[i] += 0.5f;
            dit_guidance_combine(&g, call, &(dit_guidance_answers){with, without, NULL}, &size, CHANNELS, average, out);
            for (int i = 0; i < 4; i++) {
                float wanted = call ? published[k].second[i] : published[k].first[i];
                if (fabsf(out[places[i]] - wanted) > 2e-5f * fmaxf(1, fabsf(wanted)))
                    fail_msg("%s %zu, call %d, element %d: %g, expected %g", published[k].name, k, call, places[i],
                             (double)out[places[i]], (double)wanted);
            }
        }
    }
}

// The same, of diffusers' SkipLayerGuidance.
static const struct {
    double scale, skip_scale, rescale;
    float answer[4];
} published_skips[] = {
#include "../fixtures/guidance_skip.inc"
};

static void skip_layer_guidance_is_that_of_diffusers(void **state)
{
    (void)state;
    static const int places[4] = {0, 7, 13, 23};
    for (size_t k = 0; k < sizeof published_skips / sizeof *published_skips; k++) {
        float without[N], with[N], skipping[N];
        fill(without, with);
        for (int i = 0; i < N; i++)
            skipping[i] = (with[i] + 0.5f) * 0.5f;
        dit_guidance g = dit_guidance_of(DIT_GUIDANCE_PLAIN, published_skips[k].scale);
        g.skip_scale = published_skips[k].skip_scale;
        g.rescale = published_skips[k].rescale;
        dit_guidance_combine(&g, 0, &(dit_guidance_answers){with, without, skipping}, &size, CHANNELS, NULL, with);
        for (int i = 0; i < 4; i++)
            assert_true(fabsf(with[places[i]] - published_skips[k].answer[i]) <
                        2e-5f * fmaxf(1, fabsf(published_skips[k].answer[i])));
    }
    // Strictly inside its interval, in steps that are not rounded.
    dit_guidance g = dit_guidance_of(DIT_GUIDANCE_PLAIN, 4);
    g.skip_start = 0.01, g.skip_stop = 0.2;
    assert_false(dit_guidance_skips(&g, 1, 28)); // without a scale
    g.skip_scale = 2.8;
    assert_true(dit_guidance_skips(&g, 1, 28) && dit_guidance_skips(&g, 5, 28));
    assert_false(dit_guidance_skips(&g, 0, 28) || dit_guidance_skips(&g, 6, 28));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guided_channels_are_combined_and_others_kept),
        cmocka_unit_test(rescaling_restores_the_deviation_of_the_conditional_answer),
        cmocka_unit_test(guidance_acts_inside_its_interval_only),
        cmocka_unit_test(other_kinds_are_those_of_diffusers),
        cmocka_unit_test(skip_layer_guidance_is_that_of_diffusers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
