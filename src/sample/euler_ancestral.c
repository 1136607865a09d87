// sample/euler_ancestral.c: Euler's method with part of every step's noise drawn anew.
// The ancestral step of Song et al. 2020 (arXiv 2011.13456) in the sigmas of Karras et al. 2022 (arXiv 2206.00364).
// Numbers of EulerAncestralDiscreteScheduler.
#include "sample/sampler_private.h"
#include <math.h>
#include <stdlib.h>

struct euler_ancestral {
    dit_sampler base;
    dit_noise_schedule schedule;
    dit_sigma_table table;
    dit_prediction prediction;
    dit_spacing spacing;
    int64_t steps_offset;
};

static dit_status configure(dit_sampler *s, dit_json config, dit_error *error)
{
    static const char *const predictions[] = {"epsilon", "v_prediction", NULL};
    struct euler_ancestral *e = (struct euler_ancestral *)s;
    if (dit_noise_schedule_read(&e->schedule, config, DIT_TERMINAL_FLOOR, error))
        return error->status;
    bool v = dit_json_choice_or(config, "prediction_type", predictions, 0, error) == 1;
    e->prediction = v ? DIT_PREDICTS_V : DIT_PREDICTS_EPSILON;
    e->spacing =
        (dit_spacing)dit_json_choice_or(config, "timestep_spacing", dit_spacing_names, DIT_SPACING_LINSPACE, error);
    e->steps_offset = dit_json_int_or(config, "steps_offset", 0, -DIT_MOST_STEPS, DIT_MOST_STEPS, error);
    if (!error->status)
        dit_sigma_table_make(&e->table, &e->schedule, error);
    return error->status;
}

static dit_status set_timesteps(dit_sampler *s, int steps, dit_error *error)
{
    struct euler_ancestral *e = (struct euler_ancestral *)s;
    dit_spacing_rule rule = {e->spacing, e->schedule.train_steps, e->schedule.train_steps, e->steps_offset, false,
                             false};
    if (dit_sampler_set_calls(s, steps, steps + 2, error))
        return error->status;
    s->calls = dit_spaced_timesteps(&rule, steps, s->timesteps);
    s->sigma_count = s->calls + 1;
    for (int i = 0; i < s->calls; i++) {
        s->timesteps[i] = (float)s->timesteps[i];
        s->sigmas[i] = (float)dit_interpolate(s->timesteps[i], e->table.sigma, e->table.count);
    }
    s->sigmas[s->calls] = 0;
    s->init_noise_sigma = dit_first_sigma(s, e->spacing);
    return DIT_OK;
}

static bool draws_noise(const dit_sampler *s)
{
    (void)s;
    return true; // at the last step too, where it is multiplied with zero
}

static void step(dit_sampler *s, const float *model_output, const float *noise, float *sample)
{
    struct euler_ancestral *e = (struct euler_ancestral *)s;
    int64_t n = s->count;
    float from = s->sigmas[s->next], to = s->sigmas[s->next + 1];
    float up = sqrtf(to * to * (from * from - to * to) / (from * from)), down = sqrtf(to * to - up * up);
    float by = down - from, variance = from * from + 1, of_output = -from / sqrtf(variance);
    bool v = e->prediction == DIT_PREDICTS_V;
    DIT_EACH(n)
    for (int64_t i = 0; i < n; i++) {
        float x = sample[i], output = model_output[i];
        float x0 = v ? output * of_output + x / variance : x - from * output;
        sample[i] = x + (x - x0) / from * by + noise[i] * up;
    }
}

static void release(dit_sampler *s)
{
    struct euler_ancestral *e = (struct euler_ancestral *)s;
    dit_noise_schedule_free(&e->schedule);
    dit_sigma_table_free(&e->table);
}

const dit_sampler_class dit_euler_ancestral_sampler = {
    .name = "EulerAncestralDiscreteScheduler",
    .size = sizeof(struct euler_ancestral),
    .configure = configure,
    .set_timesteps = set_timesteps,
    .input_divisor = dit_sigma_divisor,
    .draws_noise = draws_noise,
    .step = step,
    .noise_level = dit_sigma_noise_level,
    .release = release,
};
