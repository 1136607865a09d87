// sample/ddim.c: denoising diffusion implicit models.
// Song, Meng and Ermon 2020 (arXiv 2010.02502), equations 12 and 16. Numbers of DDIMScheduler.
#include "sample/sampler_private.h"
#include <math.h>
#include <stdlib.h>

struct ddim {
    dit_sampler base;
    dit_noise_schedule schedule;
    dit_prediction prediction;
    bool clip_sample, set_alpha_to_one;
    double clip_sample_range;
    dit_threshold threshold;
    dit_spacing spacing;
    int64_t steps_offset;
    float *x0, *epsilon; // (count) each
    float *room;         // one row of absolute values for the threshold
};

static dit_status configure(dit_sampler *s, dit_json config, dit_error *error)
{
    struct ddim *d = (struct ddim *)s;
    dit_noise_schedule_read(&d->schedule, config, 0, error);
    d->prediction = (dit_prediction)dit_json_choice_or(config, "prediction_type", dit_prediction_names,
                                                       DIT_PREDICTS_EPSILON, error);
    d->clip_sample = dit_json_switch_or(config, "clip_sample", true, error);
    d->clip_sample_range = dit_json_number_or(config, "clip_sample_range", 1, 0, 1e6, error);
    d->set_alpha_to_one = dit_json_switch_or(config, "set_alpha_to_one", true, error);
    dit_threshold_read(&d->threshold, config, error);
    d->spacing =
        (dit_spacing)dit_json_choice_or(config, "timestep_spacing", dit_spacing_names, DIT_SPACING_LEADING, error);
    d->steps_offset = dit_json_int_or(config, "steps_offset", 0, -DIT_MOST_STEPS, DIT_MOST_STEPS, error);
    s->integer_timesteps = true;
    return error->status;
}

static dit_status set_timesteps(dit_sampler *s, int steps, dit_error *error)
{
    struct ddim *d = (struct ddim *)s;
    dit_spacing_rule rule = {d->spacing, d->schedule.train_steps, d->schedule.train_steps, d->steps_offset, true,
                             false};
    if (dit_sampler_limit_steps(s, steps, d->schedule.train_steps, error) || dit_sampler_set_calls(s, steps, 0, error))
        return error->status;
    s->calls = dit_spaced_timesteps(&rule, steps, s->timesteps);
    return DIT_OK;
}

static dit_status begin(dit_sampler *s, dit_error *error)
{
    struct ddim *d = (struct ddim *)s;
    if (dit_noise_schedule_check(&d->schedule, s->timesteps, s->calls, error))
        return error->status;
    free(d->x0);
    free(d->epsilon);
    free(d->room);
    d->x0 = dit_sampler_room(s->count, error);
    d->epsilon = dit_sampler_room(s->count, error);
    d->room = dit_sampler_room(d->threshold.on ? s->size.channels * s->size.inner : 0, error);
    return error->status;
}

static bool draws_noise(const dit_sampler *s)
{
    return s->argument[DIT_ETA] > 0;
}

static void step(dit_sampler *s, const float *model_output, const float *noise, float *sample)
{
    struct ddim *d = (struct ddim *)s;
    int64_t n = s->count;
    double t = s->timesteps[s->next], earlier = t - (double)(d->schedule.train_steps / s->steps);
    float product = dit_noise_schedule_at(&d->schedule, t);
    float last_product = d->set_alpha_to_one ? 1 : d->schedule.alphas_cumprod[0];
    float earlier_product = earlier >= 0 ? dit_noise_schedule_at(&d->schedule, earlier) : last_product;
    float noise_part = 1 - product, alpha = sqrtf(product), sigma = sqrtf(noise_part);

    float *x0 = d->x0;
    dit_predicted_x0(d->prediction, alpha, sigma, sample, model_output, x0, n);
    dit_predicted_epsilon(d->prediction, alpha, sigma, sample, model_output, d->epsilon, n);
    if (d->threshold.on)
        dit_threshold_apply(&d->threshold, &s->size, x0, d->room);
    else if (d->clip_sample)
        dit_clip(x0, (float)d->clip_sample_range, n);
    if (s->argument[DIT_USE_CLIPPED_MODEL_OUTPUT] != 0)
        dit_predicted_epsilon(DIT_PREDICTS_SAMPLE, alpha, sigma, sample, x0, d->epsilon, n);

    float variance = (1 - earlier_product) / noise_part * (1 - product / earlier_product);
    float deviation = (float)s->argument[DIT_ETA] * sqrtf(variance);
    float rest = 1 - earlier_product - deviation * deviation;
    if (rest < 0 && rest > -1e-6f) // nothing is left with eta 1 at high noise, but for rounding
        rest = 0;
    float of_x0 = sqrtf(earlier_product), of_epsilon = sqrtf(rest);
    const float *epsilon = d->epsilon;
    if (s->argument[DIT_ETA] > 0) {
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            sample[i] = of_x0 * x0[i] + of_epsilon * epsilon[i] + deviation * noise[i];
    } else {
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            sample[i] = of_x0 * x0[i] + of_epsilon * epsilon[i];
    }
}

static void noise_level(const dit_sampler *s, int call, float *clean_part, float *noise_part)
{
    float product = dit_noise_schedule_at(&((const struct ddim *)s)->schedule, s->timesteps[call]);
    *clean_part = sqrtf(product);
    *noise_part = sqrtf(1 - product);
}

static void release(dit_sampler *s)
{
    struct ddim *d = (struct ddim *)s;
    dit_noise_schedule_free(&d->schedule);
    free(d->x0);
    free(d->epsilon);
    free(d->room);
}

const dit_sampler_class dit_ddim_sampler = {
    .name = "DDIMScheduler",
    .size = sizeof(struct ddim),
    .arguments = DIT_ARGUMENT(ETA) | DIT_ARGUMENT(USE_CLIPPED_MODEL_OUTPUT),
    .configure = configure,
    .set_timesteps = set_timesteps,
    .begin = begin,
    .draws_noise = draws_noise,
    .step = step,
    .noise_level = noise_level,
    .release = release,
};
