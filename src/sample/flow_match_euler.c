// sample/flow_match_euler.c: Euler's method for flow matching: dx/dsigma is the network's output.
// Lipman et al. 2022 (arXiv 2210.02747); time shifts: Esser et al. 2024 (arXiv 2403.03206), equation 23, and the public
// Flux pipeline. Numbers of FlowMatchEulerDiscreteScheduler.
#include "sample/flow_match.h"
#include <math.h>
#include <stdlib.h>

struct flow_match_euler {
    dit_sampler base;
    int64_t train_steps;
    double shift;
    bool linear_time_shift;
    double shift_terminal; // 0: none
    bool invert_sigmas, stochastic_sampling;
    dit_sigma_rule sigma_rule;
    double sigma_min, sigma_max; // of the training schedule
};

static dit_status configure(dit_sampler *s, dit_json config, dit_error *error)
{
    static const char *const time_shifts[] = {"exponential", "linear", NULL};
    struct flow_match_euler *f = (struct flow_match_euler *)s;
    f->train_steps = dit_json_int_or(config, "num_train_timesteps", 1000, 1, DIT_MOST_STEPS, error);
    f->shift = dit_json_number_or(config, "shift", 1, 1e-6, 1e6, error);
    dit_sampler_read_shift(s, config, error);
    f->invert_sigmas = dit_json_bool_or(config, "invert_sigmas", false, error);
    f->shift_terminal = dit_json_number_or(config, "shift_terminal", 0, 0, 1, error);
    dit_sigma_rule_read(&f->sigma_rule, config, error);
    f->linear_time_shift = dit_json_choice_or(config, "time_shift_type", time_shifts, 0, error) == 1;
    f->stochastic_sampling = dit_json_bool_or(config, "stochastic_sampling", false, error);
    if (!error->status && f->shift_terminal == 1)
        dit_json_fail(config, "shift_terminal", error, "is 1; the last sigma must be below it");
    double static_shift = s->dynamic_shift ? 1 : f->shift;
    f->sigma_max = dit_flow_train_sigma(f->train_steps, f->train_steps, static_shift, !s->dynamic_shift);
    f->sigma_min = dit_flow_train_sigma(1, f->train_steps, static_shift, !s->dynamic_shift);
    return error->status;
}

static void space_and_shift(const struct flow_match_euler *f, int steps, double *sigmas)
{
    double train = (double)f->train_steps, mu = f->base.argument[DIT_MU];
    dit_linspace(f->sigma_max * train, f->sigma_min * train, steps, sigmas);
    for (int i = 0; i < steps; i++)
        sigmas[i] = f->base.dynamic_shift ? dit_flow_time_shift(sigmas[i] / train, mu, f->linear_time_shift)
                                          : dit_flow_shift(sigmas[i] / train, f->shift);
}

// The reference keeps sigmas that it is given in float32, and shifts them there.
static void shift_given(const struct flow_match_euler *f, const double *given, int steps, double *sigmas)
{
    double mu = f->base.argument[DIT_MU];
    float ratio = (float)(f->linear_time_shift ? mu : exp(mu)), shift = (float)f->shift, less = (float)(f->shift - 1);
    for (int i = 0; i < steps; i++) {
        float sigma = (float)given[i];
        sigmas[i] =
            (double)(f->base.dynamic_shift ? ratio / (ratio + (1 / sigma - 1)) : shift * sigma / (1 + less * sigma));
    }
}

static dit_status set_timesteps(dit_sampler *s, int steps, dit_error *error)
{
    struct flow_match_euler *f = (struct flow_match_euler *)s;
    if (s->dynamic_shift && isnan(s->argument[DIT_MU]))
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "the configuration has \"use_dynamic_shifting\": the argument \"mu\" is needed");
    double *sigmas = malloc((size_t)steps * sizeof *sigmas);
    if (!sigmas)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for %d steps", steps);
    if (dit_sampler_set_calls(s, steps, steps + 1, error))
        goto done;

    if (s->given_sigmas)
        shift_given(f, s->given_sigmas, steps, sigmas);
    else
        space_and_shift(f, steps, sigmas);
    if (f->shift_terminal != 0)
        dit_flow_stretch(sigmas, steps, f->shift_terminal);
    if (f->sigma_rule.spacing != DIT_SIGMAS_OF_TIMESTEPS)
        dit_spaced_sigmas(&f->sigma_rule, sigmas[0], sigmas[steps - 1], steps, sigmas);

    for (int i = 0; i < steps; i++) {
        float sigma = (float)sigmas[i];
        s->sigmas[i] = f->invert_sigmas ? 1 - sigma : sigma;
        s->timesteps[i] = (double)(s->sigmas[i] * (float)f->train_steps);
    }
    s->sigmas[steps] = f->invert_sigmas ? 1 : 0;
done:
    free(sigmas);
    return error->status;
}

static bool draws_noise(const dit_sampler *s)
{
    return ((const struct flow_match_euler *)s)->stochastic_sampling;
}

static void step(dit_sampler *s, const float *model_output, const float *noise, float *sample)
{
    int64_t n = s->count;
    float sigma = s->sigmas[s->next], sigma_next = s->sigmas[s->next + 1];
    if (draws_noise(s)) {
        float of_x0 = 1 - sigma_next;
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            sample[i] = of_x0 * (sample[i] - sigma * model_output[i]) + sigma_next * noise[i];
    } else {
        float by = sigma_next - sigma;
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            sample[i] += by * model_output[i];
    }
}

const dit_sampler_class dit_flow_match_euler_sampler = {
    .name = "FlowMatchEulerDiscreteScheduler",
    .size = sizeof(struct flow_match_euler),
    .arguments = DIT_ARGUMENT(MU),
    .takes_sigmas = true,
    .configure = configure,
    .set_timesteps = set_timesteps,
    .draws_noise = draws_noise,
    .step = step,
    .noise_level = dit_flow_noise_level,
};
