// sample/dpmsolver_multistep.c: DPM-Solver and DPM-Solver++, multistep, orders 1 to 3, as ODE and as SDE solvers.
// Lu et al. 2022 (arXiv 2206.00927 and 2211.01095): the diffusion ODE in lambda = log(alpha / sigma) has an exact
// linear part; what remains is extrapolated from earlier outputs. Numbers of DPMSolverMultistepScheduler.
#include "sample/multistep.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ORDER = 3 };

struct dpmsolver {
    dit_sampler base;
    dit_noise_schedule schedule;
    dit_sigma_table table;
    dit_sigma_rule sigma_rule;
    int order;                 // solver_order; above 3 is 3
    bool sde;                  // adds noise at every step
    bool heun;                 // solver_type, else midpoint
    dit_conversion conversion; // to_data: "++"
    bool drops_variance;       // the network's output has a variance, which is not used
    bool lower_order_final, euler_at_final;
    bool lu_lambdas, flow_sigmas;
    double flow_shift;
    dit_final_sigma final_sigma;
    double lambda_min_clipped;
    bool rounds_timesteps; // those of karras and lu sigmas
    dit_spacing spacing;
    int64_t steps_offset;
    float *memory[MOST_ORDER]; // (count) each: predictions, newest first
    float *room;               // two halves of the output, or one row of absolute values
};

static dit_status read_solver(struct dpmsolver *d, dit_json config, dit_error *error)
{
    // The names after the fourth, and after the second, are those of other solvers; they stand for the default, as
    // configurations are passed between samplers.
    static const char *const algorithms[] = {"dpmsolver++", "sde-dpmsolver++", "dpmsolver", "sde-dpmsolver", "deis",
                                             NULL};
    static const char *const types[] = {"midpoint", "heun", "logrho", "bh1", "bh2", NULL};
    static const char *const variances[] = {"learned",     "learned_range",   "fixed_small", "fixed_small_log",
                                            "fixed_large", "fixed_large_log", NULL};
    enum { LEARNED_RANGE = 1, FIXED = 2 };
    int64_t order = dit_json_int_or(config, "solver_order", 2, 1, 1000, error);
    d->order = order < MOST_ORDER ? (int)order : MOST_ORDER;
    int algorithm = dit_json_choice_or(config, "algorithm_type", algorithms, 0, error);
    d->conversion.to_data = algorithm != 2 && algorithm != 3;
    d->sde = algorithm == 1 || algorithm == 3;
    d->heun = dit_json_choice_or(config, "solver_type", types, 0, error) == 1;
    d->conversion.prediction = (dit_prediction)dit_json_choice_or(config, "prediction_type", dit_flow_prediction_names,
                                                                  DIT_PREDICTS_EPSILON, error);
    int variance = dit_json_choice_or(config, "variance_type", variances, FIXED, error);
    d->drops_variance = variance <= LEARNED_RANGE && d->conversion.prediction == DIT_PREDICTS_EPSILON;
    d->final_sigma =
        (dit_final_sigma)dit_json_choice_or(config, "final_sigmas_type", dit_final_sigma_names, DIT_FINAL_ZERO, error);
    if (!error->status && !d->conversion.to_data && d->final_sigma == DIT_FINAL_ZERO)
        dit_json_fail(config, "final_sigmas_type", error, "is \"zero\", which \"%s\" cannot reach; use \"sigma_min\"",
                      algorithms[algorithm]);
    if (!error->status && !d->conversion.to_data && d->conversion.prediction == DIT_PREDICTS_FLOW)
        dit_json_fail(config, "prediction_type", error, "is \"flow_prediction\", which \"%s\" does not know",
                      algorithms[algorithm]);
    return error->status;
}

static dit_status configure(dit_sampler *s, dit_json config, dit_error *error)
{
    struct dpmsolver *d = (struct dpmsolver *)s;
    if (dit_noise_schedule_read(&d->schedule, config, DIT_TERMINAL_FLOOR, error) || read_solver(d, config, error))
        return error->status;
    dit_threshold_read(&d->conversion.threshold, config, error);
    d->lower_order_final = dit_json_switch_or(config, "lower_order_final", true, error);
    d->euler_at_final = dit_json_bool_or(config, "euler_at_final", false, error);
    dit_sigma_rule_read(&d->sigma_rule, config, error);
    d->lu_lambdas = dit_json_bool_or(config, "use_lu_lambdas", false, error);
    d->flow_sigmas = dit_json_bool_or(config, "use_flow_sigmas", false, error);
    d->flow_shift = dit_json_number_or(config, "flow_shift", 1, 1e-6, 1e6, error);
    d->lambda_min_clipped = dit_json_number_or(config, "lambda_min_clipped", -INFINITY, -INFINITY, 1e6, error);
    d->spacing =
        (dit_spacing)dit_json_choice_or(config, "timestep_spacing", dit_spacing_names, DIT_SPACING_LINSPACE, error);
    d->steps_offset = dit_json_int_or(config, "steps_offset", 0, -DIT_MOST_STEPS, DIT_MOST_STEPS, error);
    dit_sampler_read_shift(s, config, error);
    const char *betas = dit_json_text_or(config, "beta_schedule", "linear", error);
    d->rounds_timesteps = strcmp(betas, "squaredcos_cap_v2") != 0;
    if (!error->status)
        dit_sigma_table_make(&d->table, &d->schedule, error);
    return error->status;
}

// --- timesteps ---

static float lambda_at(const dit_noise_schedule *schedule, int t)
{
    float a = schedule->alphas_cumprod[t];
    return dit_exact_log(sqrtf(a)) - dit_exact_log(sqrtf(1 - a));
}

// How many timesteps at the noisy end have a lambda below the bound (numbers do not behave there).
static int clipped_timesteps(const struct dpmsolver *d)
{
    float bound = (float)d->lambda_min_clipped;
    int low = 0, high = d->schedule.count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (lambda_at(&d->schedule, d->schedule.count - 1 - middle) >= bound)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

// Replaces the sigmas of the chosen timesteps, when the configuration says so, and the timesteps by those that belong
// to the new sigmas. Returns whether it did.
static bool respace(const struct dpmsolver *d, double *sigmas, double *timesteps)
{
    const dit_sampler *s = &d->base;
    const dit_sigma_table *table = &d->table;
    int n = s->steps, last = table->count - 1;
    dit_sigma_spacing spacing = d->sigma_rule.spacing;
    bool karras = spacing == DIT_SIGMAS_KARRAS, lu = d->lu_lambdas && !karras;
    if (lu) { // even in lambda
        dit_linspace(0, 1, n, sigmas);
        double low = table->log_sigma[0], high = table->log_sigma[last];
        for (int i = 0; i < n; i++)
            sigmas[i] = exp(high + sigmas[i] * (low - high));
    } else if (spacing != DIT_SIGMAS_OF_TIMESTEPS) {
        dit_spaced_sigmas(&d->sigma_rule, (double)table->sigma[last], (double)table->sigma[0], n, sigmas);
    } else if (d->flow_sigmas) {
        double mu = s->argument[DIT_MU], shift = isnan(mu) ? d->flow_shift : exp(mu);
        dit_linspace(1, 1 / (double)d->schedule.train_steps, n + 1, timesteps); // 1 - sigma, from clean to noisy
        for (int i = 0; i < n; i++) {
            double sigma = 1 - timesteps[n - i];
            sigmas[i] = shift * sigma / (1 + (shift - 1) * sigma);
        }
        for (int i = 0; i < n; i++)
            timesteps[i] = sigmas[i] * (double)d->schedule.train_steps;
        return true;
    } else {
        return false;
    }
    for (int i = 0; i < n; i++) {
        timesteps[i] = dit_sigma_table_timestep(table, sigmas[i]);
        if ((karras || lu) && d->rounds_timesteps)
            timesteps[i] = nearbyint(timesteps[i]);
    }
    return true;
}

static dit_status set_timesteps(dit_sampler *s, int steps, dit_error *error)
{
    struct dpmsolver *d = (struct dpmsolver *)s;
    if (!isnan(s->argument[DIT_MU]) && !s->dynamic_shift)
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "the argument \"mu\" is given, but the configuration has no \"use_dynamic_shifting\"");
    int64_t last = d->schedule.train_steps - clipped_timesteps(d);
    if (last < 1)
        return dit_fail(error, DIT_BAD_ARGUMENT, "\"lambda_min_clipped\" is %g, which leaves no timestep",
                        d->lambda_min_clipped);
    dit_spacing_rule rule = {d->spacing, d->schedule.train_steps, last, d->steps_offset, true, true};
    double *sigmas = malloc(((size_t)steps + 1) * sizeof *sigmas);
    if (!sigmas)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for %d steps", steps);
    if (dit_sampler_set_calls(s, steps, steps + 2, error))
        goto done;

    s->calls = dit_spaced_timesteps(&rule, steps, s->timesteps);
    if (respace(d, sigmas, s->timesteps))
        s->calls = steps;
    else
        for (int i = 0; i < s->calls; i++)
            sigmas[i] = dit_interpolate(s->timesteps[i], d->table.sigma, d->table.count);
    for (int i = 0; i < s->calls; i++) {
        s->timesteps[i] = trunc(s->timesteps[i]);
        s->sigmas[i] = (float)sigmas[i];
    }
    s->sigmas[s->calls] = d->final_sigma == DIT_FINAL_ZERO ? 0 : d->table.sigma[0];
    s->sigma_count = s->calls + 1;
done:
    free(sigmas);
    return error->status;
}

// --- steps ---

static dit_level level_of(const struct dpmsolver *d, int i)
{
    return dit_level_of(d->base.sigmas[i], d->flow_sigmas);
}

// The order of the step of call i. Few steps end in lower orders, which are more stable there.
static int order_of(const struct dpmsolver *d, int i)
{
    const dit_sampler *s = &d->base;
    int taken = i - s->first, left = s->calls - i;
    bool few = d->lower_order_final && s->calls < 15;
    if (d->order == 1 || taken < 1 || (left == 1 && (d->euler_at_final || few || d->final_sigma == DIT_FINAL_ZERO)))
        return 1;
    return d->order == 2 || taken < 2 || (left == 2 && few) ? 2 : 3;
}

static dit_status begin(dit_sampler *s, dit_error *error)
{
    struct dpmsolver *d = (struct dpmsolver *)s;
    bool doubled = s->output_channels != s->size.channels;
    if (doubled && !d->drops_variance)
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "the network gives %lld channels for samples of %lld, but the configuration's variance_type "
                        "is not a learned one",
                        (long long)s->output_channels, (long long)s->size.channels);
    for (int i = s->first; i < s->calls; i++)
        if (d->sde && !d->conversion.to_data && order_of(d, i) == 3)
            return dit_fail(error, DIT_UNSUPPORTED, "\"sde-dpmsolver\" has no third order; set solver_order to 2");
    int64_t row = d->conversion.threshold.on ? s->size.channels * s->size.inner : 0;
    free(d->room);
    d->room = dit_sampler_room(doubled ? 2 * s->count + row : row, error);
    for (int i = 0; i < d->order; i++) {
        free(d->memory[i]);
        d->memory[i] = dit_sampler_room(s->count, error);
    }
    return error->status;
}

static bool draws_noise(const dit_sampler *s)
{
    return ((const struct dpmsolver *)s)->sde;
}

// x = of_sample * x + of_d0 * D0 + of_d1 * D1 + of_d2 * D2 + of_noise * noise, with the divided differences D of the
// remembered predictions in lambda.
struct weights {
    float of_sample, of_d0, of_d1, of_d2, of_noise;
};

// h: the step in lambda.
static struct weights weights_of(const struct dpmsolver *d, int order, dit_level from, dit_level to, float h)
{
    struct weights w = {0};
    bool midpoint = order == 2 && !d->heun;
    float a = to.alpha, b = to.sigma;
    if (d->conversion.to_data && !d->sde) {
        float e = dit_exact_exp(-h) - 1;
        w.of_sample = to.sigma / from.sigma;
        w.of_d0 = -(a * e);
        w.of_d1 = midpoint ? -(0.5f * (a * e)) : a * (e / h + 1);
        w.of_d2 = -(a * ((e + h) / (h * h) - 0.5f));
    } else if (!d->conversion.to_data && !d->sde) {
        float e = dit_exact_exp(h) - 1;
        w.of_sample = to.alpha / from.alpha;
        w.of_d0 = -(b * e);
        w.of_d1 = midpoint ? -(0.5f * (b * e)) : -(b * (e / h - 1));
        w.of_d2 = -(b * ((e - h) / (h * h) - 0.5f));
    } else if (d->conversion.to_data) {
        float e = 1 - dit_exact_exp(-2 * h), h2 = 2 * h;
        w.of_sample = to.sigma / from.sigma * dit_exact_exp(-h);
        w.of_d0 = a * e;
        w.of_d1 = midpoint ? 0.5f * (a * e) : a * (e / -h2 + 1);
        w.of_d2 = a * ((e - h2) / (h2 * h2) - 0.5f);
        w.of_noise = b * sqrtf(e);
    } else {
        float e = dit_exact_exp(h) - 1;
        w.of_sample = to.alpha / from.alpha;
        w.of_d0 = -(2 * (b * e));
        w.of_d1 = midpoint ? -(b * e) : -(2 * (b * (e / h - 1)));
        w.of_noise = b * sqrtf(dit_exact_exp(2 * h) - 1);
    }
    return w;
}

static void step(dit_sampler *s, const float *model_output, const float *noise, float *sample)
{
    struct dpmsolver *d = (struct dpmsolver *)s;
    int64_t n = s->count;
    int i = s->next, order = order_of(d, i);
    float *oldest = d->memory[d->order - 1];
    memmove(d->memory + 1, d->memory, (size_t)(d->order - 1) * sizeof *d->memory);
    d->memory[0] = oldest;
    const float *output = dit_split_output(s, model_output, d->room).mean;
    float *row = s->output_channels == s->size.channels ? d->room : d->room + 2 * n;
    dit_convert_output(s, &d->conversion, level_of(d, i), s->sigmas[i], output, sample, oldest, row);

    dit_level to = level_of(d, i + 1), from = level_of(d, i);
    float h = to.lambda - from.lambda;
    struct weights w = weights_of(d, order, from, to, h);
    const float *m0 = d->memory[0], *m1 = d->memory[1], *m2 = d->memory[2];
    float r0 = 0, r1 = 0;
    if (order > 1)
        r0 = (from.lambda - level_of(d, i - 1).lambda) / h;
    if (order > 2)
        r1 = (level_of(d, i - 1).lambda - level_of(d, i - 2).lambda) / h;
    float by_r0 = 1 / r0, by_r1 = 1 / r1, by_sum = 1 / (r0 + r1), share = r0 / (r0 + r1);
    if (order == 1) {
        DIT_EACH(n)
        for (int64_t j = 0; j < n; j++)
            sample[j] = w.of_sample * sample[j] + w.of_d0 * m0[j];
    } else if (order == 2) {
        DIT_EACH(n)
        for (int64_t j = 0; j < n; j++)
            sample[j] = w.of_sample * sample[j] + w.of_d0 * m0[j] + w.of_d1 * (by_r0 * (m0[j] - m1[j]));
    } else {
        DIT_EACH(n)
        for (int64_t j = 0; j < n; j++) {
            float newer = by_r0 * (m0[j] - m1[j]), older = by_r1 * (m1[j] - m2[j]), bend = newer - older;
            sample[j] = w.of_sample * sample[j] + w.of_d0 * m0[j] + w.of_d1 * (newer + share * bend) +
                        w.of_d2 * (by_sum * bend);
        }
    }
    if (d->sde) {
        DIT_EACH(n)
        for (int64_t j = 0; j < n; j++)
            sample[j] += w.of_noise * noise[j];
    }
}

static void noise_level(const dit_sampler *s, int call, float *clean_part, float *noise_part)
{
    dit_level level = level_of((const struct dpmsolver *)s, call);
    *clean_part = level.alpha;
    *noise_part = level.sigma;
}

static void release(dit_sampler *s)
{
    struct dpmsolver *d = (struct dpmsolver *)s;
    dit_noise_schedule_free(&d->schedule);
    dit_sigma_table_free(&d->table);
    for (int i = 0; i < MOST_ORDER; i++)
        free(d->memory[i]);
    free(d->room);
}

const dit_sampler_class dit_dpmsolver_multistep_sampler = {
    .name = "DPMSolverMultistepScheduler",
    .size = sizeof(struct dpmsolver),
    .arguments = DIT_ARGUMENT(MU),
    .takes_variance = true,
    .configure = configure,
    .set_timesteps = set_timesteps,
    .begin = begin,
    .draws_noise = draws_noise,
    .step = step,
    .noise_level = noise_level,
    .release = release,
};
