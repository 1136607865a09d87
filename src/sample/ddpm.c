// sample/ddpm.c: denoising diffusion probabilistic models, the ancestral sampler.
// Ho, Jain and Abbeel 2020 (arXiv 2006.11239), equations 6 and 7; learned variances: Nichol and Dhariwal 2021 (arXiv
// 2102.09672), equation 15. Numbers of DDPMScheduler.
#include "sample/sampler_private.h"
#include <math.h>
#include <stdlib.h>

enum variance_type { FIXED_SMALL, FIXED_SMALL_LOG, FIXED_LARGE, FIXED_LARGE_LOG, LEARNED, LEARNED_RANGE };

struct ddpm {
    dit_sampler base;
    dit_noise_schedule schedule;
    enum variance_type variance_type;
    dit_prediction prediction;
    bool clip_sample;
    double clip_sample_range;
    dit_threshold threshold;
    dit_spacing spacing;
    int64_t steps_offset;
    float *x0;   // (count)
    float *room; // both halves of the network's output, where it has them; one row of absolute values for the threshold
};

static dit_status configure(dit_sampler *s, dit_json config, dit_error *error)
{
    static const char *const variances[] = {"fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log",
                                            "learned",     "learned_range",   NULL};
    struct ddpm *d = (struct ddpm *)s;
    dit_noise_schedule_read(&d->schedule, config, DIT_SIGMOID_AND_LAPLACE, error);
    d->variance_type = (enum variance_type)dit_json_choice_or(config, "variance_type", variances, FIXED_SMALL, error);
    d->prediction = (dit_prediction)dit_json_choice_or(config, "prediction_type", dit_prediction_names,
                                                       DIT_PREDICTS_EPSILON, error);
    d->clip_sample = dit_json_switch_or(config, "clip_sample", true, error);
    d->clip_sample_range = dit_json_number_or(config, "clip_sample_range", 1, 0, 1e6, error);
    dit_threshold_read(&d->threshold, config, error);
    d->spacing =
        (dit_spacing)dit_json_choice_or(config, "timestep_spacing", dit_spacing_names, DIT_SPACING_LEADING, error);
    d->steps_offset = dit_json_int_or(config, "steps_offset", 0, -DIT_MOST_STEPS, DIT_MOST_STEPS, error);
    s->integer_timesteps = true;
    return error->status;
}

static dit_status set_timesteps(dit_sampler *s, int steps, dit_error *error)
{
    struct ddpm *d = (struct ddpm *)s;
    dit_spacing_rule rule = {d->spacing, d->schedule.train_steps, d->schedule.train_steps, d->steps_offset, true,
                             false};
    if (dit_sampler_limit_steps(s, steps, d->schedule.train_steps, error) || dit_sampler_set_calls(s, steps, 0, error))
        return error->status;
    s->calls = dit_spaced_timesteps(&rule, steps, s->timesteps);
    return DIT_OK;
}

static dit_status begin(dit_sampler *s, dit_error *error)
{
    struct ddpm *d = (struct ddpm *)s;
    bool learned = d->variance_type >= LEARNED, doubled = s->output_channels != s->size.channels;
    if (learned != doubled)
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "the network gives %lld channels for samples of %lld, which does not fit the configuration's "
                        "variance_type: %s",
                        (long long)s->output_channels, (long long)s->size.channels,
                        learned ? "a learned variance takes as many channels again" : "its variance is not learned");
    if (dit_noise_schedule_check(&d->schedule, s->timesteps, s->calls, error))
        return error->status;
    free(d->x0);
    free(d->room);
    int64_t row = d->threshold.on ? s->size.channels * s->size.inner : 0;
    d->x0 = dit_sampler_room(s->count, error);
    d->room = dit_sampler_room((doubled ? 2 * s->count : 0) + row, error);
    return error->status;
}

static bool draws_noise(const dit_sampler *s)
{
    return s->timesteps[s->next] > 0;
}

// The timestep after that of call `call`; -1 after the last. Equal timesteps count as the first of them.
static double previous_timestep(const dit_sampler *s, int call)
{
    int first = call;
    while (first > 0 && s->timesteps[first - 1] == s->timesteps[call])
        first--;
    return first + 1 < s->calls ? s->timesteps[first + 1] : -1;
}

// sample += standard deviation * noise, where `variance` is the posterior's, `beta` the step's, and `predicted` what
// the network says. fixed_large_log takes a square root of log(beta) as the reference does, which is NaN.
static void add_noise(const struct ddpm *d, float variance, float beta, const float *predicted, const float *noise,
                      float *sample)
{
    int64_t n = d->base.count;
    variance = fmaxf(variance, 1e-20f);
    float low = dit_exact_log(variance), high = dit_exact_log(beta), deviation = 0;
    switch (d->variance_type) {
    case FIXED_SMALL:
        deviation = sqrtf(variance);
        break;
    case FIXED_SMALL_LOG:
        deviation = dit_exact_exp(0.5f * low);
        break;
    case FIXED_LARGE:
        deviation = sqrtf(beta);
        break;
    case FIXED_LARGE_LOG:
        deviation = sqrtf(high);
        break;
    case LEARNED:
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            sample[i] += sqrtf(predicted[i]) * noise[i];
        return;
    case LEARNED_RANGE:
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++) {
            float part = (predicted[i] + 1) / 2;
            sample[i] += expf(0.5f * (part * high + (1 - part) * low)) * noise[i];
        }
        return;
    }
    DIT_EACH(n)
    for (int64_t i = 0; i < n; i++)
        sample[i] += deviation * noise[i];
}

static void step(dit_sampler *s, const float *model_output, const float *noise, float *sample)
{
    struct ddpm *d = (struct ddpm *)s;
    int64_t n = s->count;
    double t = s->timesteps[s->next], earlier = previous_timestep(s, s->next);
    float product = dit_noise_schedule_at(&d->schedule, t);
    float earlier_product = earlier >= 0 ? dit_noise_schedule_at(&d->schedule, earlier) : 1;
    float noise_part = 1 - product, earlier_noise_part = 1 - earlier_product;
    float alpha = product / earlier_product, beta = 1 - alpha;

    dit_halves output = dit_split_output(s, model_output, d->room);
    float *x0 = d->x0;
    dit_predicted_x0(d->prediction, sqrtf(product), sqrtf(noise_part), sample, output.mean, x0, n);
    if (d->threshold.on)
        dit_threshold_apply(&d->threshold, &s->size, x0, output.variance ? d->room + 2 * n : d->room);
    else if (d->clip_sample)
        dit_clip(x0, (float)d->clip_sample_range, n);

    float of_x0 = sqrtf(earlier_product) * beta / noise_part;
    float of_sample = sqrtf(alpha) * earlier_noise_part / noise_part;
    DIT_EACH(n)
    for (int64_t i = 0; i < n; i++)
        sample[i] = of_x0 * x0[i] + of_sample * sample[i];
    if (t > 0)
        add_noise(d, earlier_noise_part / noise_part * beta, beta, output.variance, noise, sample);
}

static void noise_level(const dit_sampler *s, int call, float *clean_part, float *noise_part)
{
    float product = dit_noise_schedule_at(&((const struct ddpm *)s)->schedule, s->timesteps[call]);
    *clean_part = sqrtf(product);
    *noise_part = sqrtf(1 - product);
}

static void release(dit_sampler *s)
{
    struct ddpm *d = (struct ddpm *)s;
    dit_noise_schedule_free(&d->schedule);
    free(d->x0);
    free(d->room);
}

const dit_sampler_class dit_ddpm_sampler = {
    .name = "DDPMScheduler",
    .size = sizeof(struct ddpm),
    .takes_variance = true,
    .configure = configure,
    .set_timesteps = set_timesteps,
    .begin = begin,
    .draws_noise = draws_noise,
    .step = step,
    .noise_level = noise_level,
    .release = release,
};
