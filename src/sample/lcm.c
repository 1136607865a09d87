// sample/lcm.c: sampling of latent consistency models: every call predicts the clean sample, which is noised again.
// Luo et al. 2023 (arXiv 2310.04378), algorithm 3. Numbers of LCMScheduler.
#include "sample/sampler_private.h"
#include <math.h>
#include <stdlib.h>

struct lcm {
    dit_sampler base;
    dit_noise_schedule schedule;
    dit_prediction prediction;
    int64_t original_steps; // of the solver that was distilled
    bool clip_sample, set_alpha_to_one;
    double clip_sample_range, timestep_scaling;
    dit_threshold threshold;
    float *x0;   // (count)
    float *room; // one row of absolute values for the threshold
};

static dit_status configure(dit_sampler *s, dit_json config, dit_error *error)
{
    struct lcm *l = (struct lcm *)s;
    dit_noise_schedule_read(&l->schedule, config, DIT_LATENT_BETAS | DIT_SCALED_BY_DEFAULT, error);
    l->prediction = (dit_prediction)dit_json_choice_or(config, "prediction_type", dit_prediction_names,
                                                       DIT_PREDICTS_EPSILON, error);
    l->original_steps = dit_json_int_or(config, "original_inference_steps", 50, 1, DIT_MOST_STEPS, error);
    l->clip_sample = dit_json_bool_or(config, "clip_sample", false, error);
    l->clip_sample_range = dit_json_number_or(config, "clip_sample_range", 1, 0, 1e6, error);
    l->set_alpha_to_one = dit_json_switch_or(config, "set_alpha_to_one", true, error);
    l->timestep_scaling = dit_json_number_or(config, "timestep_scaling", 10, 0, 1e6, error);
    dit_threshold_read(&l->threshold, config, error);
    if (!error->status && l->original_steps > l->schedule.train_steps)
        dit_json_fail(config, "original_inference_steps", error, "is %lld; there are only %lld training timesteps",
                      (long long)l->original_steps, (long long)l->schedule.train_steps);
    s->integer_timesteps = true;
    return error->status;
}

static dit_status set_timesteps(dit_sampler *s, int steps, dit_error *error)
{
    struct lcm *l = (struct lcm *)s;
    if (dit_sampler_limit_steps(s, steps, l->schedule.train_steps, error))
        return error->status;
    double original = s->argument[DIT_ORIGINAL_INFERENCE_STEPS];
    original = isnan(original) ? (double)l->original_steps : original;
    if (original != trunc(original) || original < 1 || original > (double)l->schedule.train_steps)
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "the argument \"original_inference_steps\" is %g; it is 1 to %lld, whole", original,
                        (long long)l->schedule.train_steps);
    if (s->argument[DIT_STRENGTH] > 1)
        return dit_fail(error, DIT_BAD_ARGUMENT, "the argument \"strength\" is %g; it is at most 1",
                        s->argument[DIT_STRENGTH]);
    int64_t used = (int64_t)(original * s->argument[DIT_STRENGTH]);
    if (steps > used)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%d steps are asked for, but the model was distilled for at most %lld",
                        steps, (long long)used);
    if (dit_sampler_set_calls(s, steps, 0, error))
        return error->status;
    int64_t every = l->schedule.train_steps / (int64_t)original;
    double stride = (double)used / steps;
    for (int i = 0; i < steps; i++) {
        int64_t skipped = (int64_t)floor(i * stride);
        s->timesteps[i] = (double)((used - skipped) * every - 1);
    }
    return DIT_OK;
}

static dit_status begin(dit_sampler *s, dit_error *error)
{
    struct lcm *l = (struct lcm *)s;
    if (dit_noise_schedule_check(&l->schedule, s->timesteps, s->calls, error))
        return error->status;
    free(l->x0);
    free(l->room);
    l->x0 = dit_sampler_room(s->count, error);
    l->room = dit_sampler_room(l->threshold.on ? s->size.channels * s->size.inner : 0, error);
    return error->status;
}

static bool draws_noise(const dit_sampler *s)
{
    return s->next + 1 < s->calls;
}

static void step(dit_sampler *s, const float *model_output, const float *noise, float *sample)
{
    struct lcm *l = (struct lcm *)s;
    int64_t n = s->count;
    double t = s->timesteps[s->next];
    float product = dit_noise_schedule_at(&l->schedule, t), *x0 = l->x0;
    dit_predicted_x0(l->prediction, sqrtf(product), sqrtf(1 - product), sample, model_output, x0, n);
    if (l->threshold.on)
        dit_threshold_apply(&l->threshold, &s->size, x0, l->room);
    else if (l->clip_sample)
        dit_clip(x0, (float)l->clip_sample_range, n);

    // The consistency function is the identity at time 0 (Song et al. 2023, arXiv 2303.01469, equation 5).
    const float sigma_data = 0.5f;
    float scaled = (float)t * (float)l->timestep_scaling, square = scaled * scaled + sigma_data * sigma_data;
    float of_sample = 1 / square * (sigma_data * sigma_data), of_x0 = scaled / sqrtf(square);
    if (draws_noise(s)) {
        double later = s->timesteps[s->next + 1];
        float last = l->set_alpha_to_one ? 1 : l->schedule.alphas_cumprod[0];
        float later_product = later >= 0 ? dit_noise_schedule_at(&l->schedule, later) : last;
        float of_clean = sqrtf(later_product), of_noise = sqrtf(1 - later_product);
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            sample[i] = of_clean * (of_x0 * x0[i] + of_sample * sample[i]) + of_noise * noise[i];
    } else {
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            sample[i] = of_x0 * x0[i] + of_sample * sample[i];
    }
}

static void noise_level(const dit_sampler *s, int call, float *clean_part, float *noise_part)
{
    float product = dit_noise_schedule_at(&((const struct lcm *)s)->schedule, s->timesteps[call]);
    *clean_part = sqrtf(product);
    *noise_part = sqrtf(1 - product);
}

static void release(dit_sampler *s)
{
    struct lcm *l = (struct lcm *)s;
    dit_noise_schedule_free(&l->schedule);
    free(l->x0);
    free(l->room);
}

const dit_sampler_class dit_lcm_sampler = {
    .name = "LCMScheduler",
    .arguments = 1u << DIT_ORIGINAL_INFERENCE_STEPS | 1u << DIT_STRENGTH,
    .size = sizeof(struct lcm),
    .configure = configure,
    .set_timesteps = set_timesteps,
    .begin = begin,
    .draws_noise = draws_noise,
    .step = step,
    .noise_level = noise_level,
    .release = release,
};
