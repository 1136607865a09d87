// sample/flow_match_heun.c: Heun's method for flow matching: two calls a step, the second at the step's end; the last
// step is Euler's. Karras et al. 2022 (arXiv 2206.00364), algorithm 1. Numbers of FlowMatchHeunDiscreteScheduler.
#include "sample/flow_match.h"
#include <math.h>
#include <stdlib.h>

struct flow_match_heun {
    dit_sampler base;
    int64_t train_steps;
    double shift;
    double sigma_min, sigma_max; // of the training schedule
    bool halfway;                // the next call is the second one of a step
    float by;                    // the step's change of sigma
    float *start, *slope;        // (count) each: the state and its derivative before the step
};

static dit_status configure(dit_sampler *s, dit_json config, dit_error *error)
{
    struct flow_match_heun *f = (struct flow_match_heun *)s;
    f->train_steps = dit_json_int_or(config, "num_train_timesteps", 1000, 1, DIT_MOST_STEPS, error);
    f->shift = dit_json_number_or(config, "shift", 1, 1e-6, 1e6, error);
    f->sigma_max = dit_flow_train_sigma(f->train_steps, f->train_steps, f->shift, true);
    f->sigma_min = dit_flow_train_sigma(1, f->train_steps, f->shift, true);
    return error->status;
}

// Timesteps t0 t1 t1 t2 t2 ...; sigmas likewise, then 0.
static dit_status set_timesteps(dit_sampler *s, int steps, dit_error *error)
{
    struct flow_match_heun *f = (struct flow_match_heun *)s;
    double *times = malloc((size_t)steps * sizeof *times), train = (double)f->train_steps;
    if (!times)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for %d steps", steps);
    if (!dit_sampler_set_calls(s, 2 * steps - 1, 2 * steps, error)) {
        dit_linspace(f->sigma_max * train, f->sigma_min * train, steps, times);
        for (int i = 0; i < s->calls; i++) {
            s->sigmas[i] = (float)dit_flow_shift(times[(i + 1) / 2] / train, f->shift);
            s->timesteps[i] = (double)(s->sigmas[i] * (float)f->train_steps);
        }
        s->sigmas[s->calls] = 0;
    }
    free(times);
    return error->status;
}

static dit_status begin(dit_sampler *s, dit_error *error)
{
    struct flow_match_heun *f = (struct flow_match_heun *)s;
    if (s->first % 2)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s takes two calls a step; it cannot begin at call %d",
                        s->class->name, s->first + 1);
    free(f->start);
    free(f->slope);
    f->start = dit_sampler_room(s->count, error);
    f->slope = dit_sampler_room(s->count, error);
    f->halfway = false;
    return error->status;
}

// The sigma at which the step in progress began.
static float step_sigma(const dit_sampler *s)
{
    return s->sigmas[((const struct flow_match_heun *)s)->halfway ? s->next - 1 : s->next];
}

static bool draws_noise(const dit_sampler *s)
{
    return dit_churn(s, step_sigma(s)) > 0;
}

static void step(dit_sampler *s, const float *model_output, const float *noise, float *sample)
{
    struct flow_match_heun *f = (struct flow_match_heun *)s;
    int64_t n = s->count;
    float sigma = step_sigma(s), sigma_hat = dit_add_churn(s, sigma, noise, sample);
    float *start = f->start, *slope = f->slope;
    if (!f->halfway) {
        float by = f->by = s->sigmas[s->next + 1] - sigma_hat;
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++) {
            float x = sample[i], denoised = x - model_output[i] * sigma;
            start[i] = x;
            slope[i] = (x - denoised) / sigma_hat;
            sample[i] = x + slope[i] * by;
        }
    } else {
        float by = f->by, sigma_next = s->sigmas[s->next];
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++) {
            float denoised = sample[i] - model_output[i] * sigma_next;
            float slope_next = (sample[i] - denoised) / sigma_next;
            sample[i] = start[i] + 0.5f * (slope[i] + slope_next) * by;
        }
    }
    f->halfway = !f->halfway;
}

static void release(dit_sampler *s)
{
    free(((struct flow_match_heun *)s)->start);
    free(((struct flow_match_heun *)s)->slope);
}

const dit_sampler_class dit_flow_match_heun_sampler = {
    .name = "FlowMatchHeunDiscreteScheduler",
    .size = sizeof(struct flow_match_heun),
    .arguments = DIT_CHURN_ARGUMENTS,
    .configure = configure,
    .set_timesteps = set_timesteps,
    .begin = begin,
    .draws_noise = draws_noise,
    .step = step,
    .noise_level = dit_flow_noise_level,
    .release = release,
};
