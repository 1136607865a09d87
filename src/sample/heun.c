// sample/heun.c: Heun's method on the probability flow: two calls a step, the second at the step's end; the last step
// is Euler's. Karras et al. 2022 (arXiv 2206.00364), algorithm 1. Numbers of HeunDiscreteScheduler.
#include "sample/sampler_private.h"
#include <math.h>
#include <stdlib.h>

struct heun {
    dit_sampler base;
    dit_noise_schedule schedule;
    dit_sigma_table table;
    dit_sigma_rule sigma_rule;
    dit_prediction prediction;
    bool clip_sample;
    double clip_sample_range;
    dit_spacing spacing;
    int64_t steps_offset;
    bool halfway;         // the next call is the second one of a step
    float by;             // the step's change of sigma
    float *start, *slope; // (count) each: the state and its derivative before the step
    float *x0;            // (count)
};

static dit_status configure(dit_sampler *s, dit_json config, dit_error *error)
{
    struct heun *h = (struct heun *)s;
    if (dit_noise_schedule_read(&h->schedule, config, DIT_LATENT_BETAS | DIT_NO_RESCALING | DIT_EXP, error))
        return error->status;
    h->prediction = (dit_prediction)dit_json_choice_or(config, "prediction_type", dit_prediction_names,
                                                       DIT_PREDICTS_EPSILON, error);
    dit_sigma_rule_read(&h->sigma_rule, config, error);
    h->clip_sample = dit_json_bool_or(config, "clip_sample", false, error);
    h->clip_sample_range = dit_json_number_or(config, "clip_sample_range", 1, 0, 1e6, error);
    h->spacing =
        (dit_spacing)dit_json_choice_or(config, "timestep_spacing", dit_spacing_names, DIT_SPACING_LINSPACE, error);
    h->steps_offset = dit_json_int_or(config, "steps_offset", 0, -DIT_MOST_STEPS, DIT_MOST_STEPS, error);
    if (!error->status)
        dit_sigma_table_make(&h->table, &h->schedule, error);
    return error->status;
}

// Timesteps t0 t1 t1 t2 t2 ...; sigmas likewise, then 0.
static dit_status set_timesteps(dit_sampler *s, int steps, dit_error *error)
{
    struct heun *h = (struct heun *)s;
    dit_spacing_rule rule = {h->spacing, h->schedule.train_steps, h->schedule.train_steps, h->steps_offset, false,
                             false};
    double *times = malloc(2 * ((size_t)steps + 1) * sizeof *times), *sigmas = times + steps + 1;
    if (!times)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for %d steps", steps);
    if (dit_sampler_set_calls(s, 2 * steps + 1, 2 * steps + 2, error))
        goto done;
    int n = dit_spaced_timesteps(&rule, steps, times);
    for (int i = 0; i < n; i++) {
        times[i] = (float)times[i];
        sigmas[i] = dit_interpolate(times[i], h->table.sigma, h->table.count);
    }
    if (h->sigma_rule.spacing != DIT_SIGMAS_OF_TIMESTEPS) {
        dit_spaced_sigmas(&h->sigma_rule, sigmas[0], sigmas[n - 1], steps, sigmas);
        n = steps;
        for (int i = 0; i < n; i++)
            times[i] = dit_sigma_table_timestep(&h->table, sigmas[i]);
    }
    s->calls = 2 * n - 1;
    s->sigma_count = 2 * n;
    for (int i = 0; i < s->calls; i++) {
        s->sigmas[i] = (float)sigmas[(i + 1) / 2];
        s->timesteps[i] = (float)times[(i + 1) / 2];
    }
    s->sigmas[s->calls] = 0;
    s->init_noise_sigma = dit_first_sigma(s, h->spacing);
done:
    free(times);
    return error->status;
}

static dit_status begin(dit_sampler *s, dit_error *error)
{
    struct heun *h = (struct heun *)s;
    if (s->first % 2)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s takes two calls a step; it cannot begin at call %d",
                        s->class->name, s->first + 1);
    free(h->start);
    free(h->slope);
    free(h->x0);
    h->x0 = dit_sampler_room(s->count, error);
    h->start = dit_sampler_room(s->count, error);
    h->slope = dit_sampler_room(s->count, error);
    h->halfway = false;
    return error->status;
}

// h->x0 = the clean sample that the network's output at x means.
static void predict(const struct heun *h, float sigma, const float *x, const float *output)
{
    int64_t n = h->base.count;
    float variance = sigma * sigma + 1, of_output = -sigma / sqrtf(variance), *x0 = h->x0;
    if (h->prediction == DIT_PREDICTS_V) {
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            x0[i] = output[i] * of_output + x[i] / variance;
    } else {
        dit_predicted_x0(h->prediction, 1, sigma, x, output, x0, n);
    }
    if (h->clip_sample)
        dit_clip(x0, (float)h->clip_sample_range, n);
}

static void step(dit_sampler *s, const float *model_output, const float *noise, float *sample)
{
    (void)noise;
    struct heun *h = (struct heun *)s;
    int64_t n = s->count;
    float sigma = s->sigmas[s->next], *start = h->start, *slope = h->slope, *x0 = h->x0;
    predict(h, sigma, sample, model_output);
    if (!h->halfway)
        h->by = s->sigmas[s->next + 1] - sigma;
    float by = h->by;
    if (!h->halfway) {
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++) {
            start[i] = sample[i];
            slope[i] = (sample[i] - x0[i]) / sigma;
            sample[i] += slope[i] * by;
        }
    } else {
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            sample[i] = start[i] + (slope[i] + (sample[i] - x0[i]) / sigma) / 2 * by;
    }
    h->halfway = !h->halfway;
}

static void release(dit_sampler *s)
{
    struct heun *h = (struct heun *)s;
    dit_noise_schedule_free(&h->schedule);
    dit_sigma_table_free(&h->table);
    free(h->start);
    free(h->slope);
    free(h->x0);
}

const dit_sampler_class dit_heun_sampler = {
    .name = "HeunDiscreteScheduler",
    .size = sizeof(struct heun),
    .configure = configure,
    .set_timesteps = set_timesteps,
    .begin = begin,
    .input_divisor = dit_sigma_divisor,
    .step = step,
    .noise_level = dit_sigma_noise_level,
    .release = release,
};
