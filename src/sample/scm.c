// sample/scm.c: sampling of continuous-time consistency models on the trigonometric path
// x = cos(t) * clean + sin(t) * sigma_data * noise, t from pi / 2 to 0: every call predicts the clean sample, which is
// noised again. Lu and Song 2024 (arXiv 2410.11081), Chen et al. 2025 (SANA-Sprint, arXiv 2503.09641). Numbers of
// SCMScheduler; like there, the samples are sigma_data times as large as they were.
#include "sample/sampler_private.h"
#include <math.h>

struct scm {
    dit_sampler base;
    int64_t train_steps;
    double sigma_data;
};

static dit_status configure(dit_sampler *s, dit_json config, dit_error *error)
{
    static const char *const predictions[] = {"trigflow", NULL};
    struct scm *c = (struct scm *)s;
    c->train_steps = dit_json_int_or(config, "num_train_timesteps", 1000, 1, DIT_MOST_STEPS, error);
    dit_json_choice_or(config, "prediction_type", predictions, 0, error);
    c->sigma_data = dit_json_number_or(config, "sigma_data", 0.5, 1e-6, 1e6, error);
    s->extra_timesteps = 1;
    return error->status;
}

// Even times from max_timesteps to 0; of two steps the second one begins at intermediate_timesteps.
static dit_status set_timesteps(dit_sampler *s, int steps, dit_error *error)
{
    struct scm *c = (struct scm *)s;
    double most = s->argument[DIT_MAX_TIMESTEPS], middle = s->argument[DIT_INTERMEDIATE_TIMESTEPS];
    if (!isnan(middle) && steps != 2)
        return dit_fail(error, DIT_BAD_ARGUMENT, "intermediate_timesteps is for two steps; %d are asked for", steps);
    if (dit_sampler_limit_steps(s, steps, c->train_steps, error) || dit_sampler_set_calls(s, steps, 0, error))
        return error->status;
    for (int i = 0; i <= steps; i++)
        s->timesteps[i] = (double)dit_linspace_f32((float)most, 0, steps + 1, i);
    if (steps == 2)
        s->timesteps[1] = (double)(float)(isnan(middle) ? 1.3 : middle);
    return DIT_OK;
}

static bool draws_noise(const dit_sampler *s)
{
    (void)s;
    return true; // at the last step too, where it is multiplied with zero
}

static void step(dit_sampler *s, const float *model_output, const float *noise, float *sample)
{
    int64_t n = s->count;
    double now = s->timesteps[s->next], later = s->timesteps[s->next + 1];
    float of_sample = (float)cos(now), of_output = (float)sin(now);
    float of_x0 = (float)cos(later), of_noise = (float)sin(later);
    float sigma_data = (float)((struct scm *)s)->sigma_data;
    DIT_EACH(n)
    for (int64_t i = 0; i < n; i++) {
        float x0 = of_sample * sample[i] - of_output * model_output[i];
        sample[i] = of_x0 * x0 + of_noise * (noise[i] * sigma_data);
    }
}

static void noise_level(const dit_sampler *s, int call, float *clean_part, float *noise_part)
{
    *clean_part = (float)cos(s->timesteps[call]);
    *noise_part = (float)(sin(s->timesteps[call]) * ((const struct scm *)s)->sigma_data);
}

const dit_sampler_class dit_scm_sampler = {
    .name = "SCMScheduler",
    .size = sizeof(struct scm),
    .arguments = DIT_ARGUMENT(MAX_TIMESTEPS) | DIT_ARGUMENT(INTERMEDIATE_TIMESTEPS),
    .configure = configure,
    .set_timesteps = set_timesteps,
    .draws_noise = draws_noise,
    .step = step,
    .noise_level = noise_level,
};
