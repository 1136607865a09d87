// sample/euler.c: Euler's method on the probability flow, with optional churn.
// Karras et al. 2022 (arXiv 2206.00364), algorithm 2 without the correction. Numbers of EulerDiscreteScheduler.
#include "sample/sampler_private.h"
#include <math.h>
#include <stdlib.h>

struct euler {
    dit_sampler base;
    dit_noise_schedule schedule;
    dit_prediction prediction;
    dit_sigma_rule sigma_rule;
    dit_sigma_table table;
    dit_spacing spacing;
    int64_t steps_offset;
    bool log_linear; // interpolation_type: sigmas even in the logarithm, whatever the timesteps are
    bool continuous; // timesteps are log(sigma) / 4
    dit_final_sigma final_sigma;
};

static dit_status configure(dit_sampler *s, dit_json config, dit_error *error)
{
    // The last name is an old one for "sample".
    static const char *const predictions[] = {"epsilon", "sample", "v_prediction", "original_sample", NULL};
    static const char *const interpolations[] = {"linear", "log_linear", NULL};
    static const char *const timestep_types[] = {"discrete", "continuous", NULL};
    struct euler *e = (struct euler *)s;
    if (dit_noise_schedule_read(&e->schedule, config, DIT_TERMINAL_FLOOR, error))
        return error->status;
    int prediction = dit_json_choice_or(config, "prediction_type", predictions, DIT_PREDICTS_EPSILON, error);
    e->prediction = prediction == 3 ? DIT_PREDICTS_SAMPLE : (dit_prediction)prediction;
    dit_sigma_rule_read(&e->sigma_rule, config, error);
    e->spacing =
        (dit_spacing)dit_json_choice_or(config, "timestep_spacing", dit_spacing_names, DIT_SPACING_LINSPACE, error);
    e->steps_offset = dit_json_int_or(config, "steps_offset", 0, -DIT_MOST_STEPS, DIT_MOST_STEPS, error);
    e->log_linear = dit_json_choice_or(config, "interpolation_type", interpolations, 0, error) == 1;
    e->continuous =
        dit_json_choice_or(config, "timestep_type", timestep_types, 0, error) == 1 && e->prediction == DIT_PREDICTS_V;
    e->final_sigma =
        (dit_final_sigma)dit_json_choice_or(config, "final_sigmas_type", dit_final_sigma_names, DIT_FINAL_ZERO, error);
    if (!error->status)
        dit_sigma_table_make(&e->table, &e->schedule, error);
    return error->status;
}

// Sigmas, largest first, into `sigmas`, which has room for steps + 1; returns how many. `n` timesteps are laid out.
static int lay_out_sigmas(const struct euler *e, int n, double *sigmas)
{
    const dit_sampler *s = &e->base;
    const float *table = e->table.log_sigma;
    int last = e->schedule.count - 1, count = e->log_linear ? s->steps + 1 : n;
    for (int i = 0; i < count; i++)
        sigmas[i] = e->log_linear ? (double)dit_exact_exp(dit_linspace_f32(table[last], table[0], count, i))
                                  : dit_interpolate(s->timesteps[i], e->table.sigma, e->schedule.count);
    if (e->sigma_rule.spacing == DIT_SIGMAS_OF_TIMESTEPS)
        return count;
    dit_spaced_sigmas(&e->sigma_rule, sigmas[0], sigmas[count - 1], s->steps, sigmas);
    return s->steps;
}

static dit_status set_timesteps(dit_sampler *s, int steps, dit_error *error)
{
    struct euler *e = (struct euler *)s;
    dit_spacing_rule rule = {e->spacing, e->schedule.train_steps, e->schedule.train_steps, e->steps_offset, false,
                             false};
    double *sigmas = malloc(((size_t)steps + 1) * sizeof *sigmas);
    if (!sigmas)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for %d steps", steps);
    if (dit_sampler_set_calls(s, steps, steps + 2, error))
        goto done;
    s->calls = dit_spaced_timesteps(&rule, steps, s->timesteps);
    for (int i = 0; i < s->calls; i++)
        s->timesteps[i] = (float)s->timesteps[i];

    int count = lay_out_sigmas(e, s->calls, sigmas);
    for (int i = 0; i < count; i++)
        s->sigmas[i] = (float)sigmas[i];
    s->sigmas[count] = e->final_sigma == DIT_FINAL_ZERO ? 0 : e->table.sigma[0];
    s->sigma_count = count + 1;
    if (e->sigma_rule.spacing != DIT_SIGMAS_OF_TIMESTEPS || e->continuous)
        s->calls = count;
    for (int i = 0; i < s->calls; i++) {
        if (e->continuous)
            s->timesteps[i] = (double)(0.25f * dit_exact_log(s->sigmas[i]));
        else if (e->sigma_rule.spacing != DIT_SIGMAS_OF_TIMESTEPS)
            s->timesteps[i] = (double)(float)dit_sigma_table_timestep(&e->table, sigmas[i]);
    }

    s->init_noise_sigma = dit_first_sigma(s, e->spacing);
done:
    free(sigmas);
    return error->status;
}

static bool draws_noise(const dit_sampler *s)
{
    return dit_churn(s, s->sigmas[s->next]) > 0;
}

static void step(dit_sampler *s, const float *model_output, const float *noise, float *sample)
{
    int64_t n = s->count;
    float sigma = s->sigmas[s->next], sigma_hat = dit_add_churn(s, sigma, noise, sample);
    float by = s->sigmas[s->next + 1] - sigma_hat;
    float variance = sigma * sigma + 1, of_output = -sigma / sqrtf(variance);
    switch (((struct euler *)s)->prediction) {
    case DIT_PREDICTS_SAMPLE:
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            sample[i] += (sample[i] - model_output[i]) / sigma_hat * by;
        break;
    case DIT_PREDICTS_V:
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++) {
            float x0 = model_output[i] * of_output + sample[i] / variance;
            sample[i] += (sample[i] - x0) / sigma_hat * by;
        }
        break;
    default:
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++) {
            float x0 = sample[i] - sigma_hat * model_output[i];
            sample[i] += (sample[i] - x0) / sigma_hat * by;
        }
    }
}

static void release(dit_sampler *s)
{
    struct euler *e = (struct euler *)s;
    dit_noise_schedule_free(&e->schedule);
    dit_sigma_table_free(&e->table);
}

const dit_sampler_class dit_euler_sampler = {
    .name = "EulerDiscreteScheduler",
    .size = sizeof(struct euler),
    .arguments = DIT_CHURN_ARGUMENTS,
    .configure = configure,
    .set_timesteps = set_timesteps,
    .input_divisor = dit_sigma_divisor,
    .draws_noise = draws_noise,
    .step = step,
    .noise_level = dit_sigma_noise_level,
    .release = release,
};
