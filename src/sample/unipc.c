// sample/unipc.c: the unified predictor-corrector: a multistep predictor like DPM-Solver's, and before each step a
// corrector that uses the new output for the step before.
// Zhao et al. 2023 (arXiv 2302.04867), algorithms 5 to 8. Numbers of UniPCMultistepScheduler.
#include "sample/flow_match.h"
#include "sample/multistep.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ORDER = 5 };

struct unipc {
    dit_sampler base;
    dit_noise_schedule schedule;
    dit_sigma_table table;
    dit_sigma_rule sigma_rule;
    int order;
    bool bh1; // solver_type: B(h) = h, else e^h - 1
    dit_conversion conversion;
    bool lower_order_final, flow_sigmas, linear_time_shift;
    int64_t disabled[64]; // disable_corrector: steps that are not corrected
    size_t disabled_count;
    double flow_shift, shift_terminal;
    dit_final_sigma final_sigma;
    dit_spacing spacing;
    int64_t steps_offset;
    float *memory[MOST_ORDER + 1]; // (count) each: predictions, newest first, and room for the next one
    float *start;                  // (count) the corrected state before the last step
    float *sum;                    // (count)
    float *room;                   // one row of absolute values for the threshold
    int last_order;                // of the last step
};

static dit_status configure(dit_sampler *s, dit_json config, dit_error *error)
{
    // The names after the second are those of other solvers; they stand for the default.
    static const char *const types[] = {"bh2", "bh1", "midpoint", "heun", "logrho", NULL};
    static const char *const time_shifts[] = {"exponential", "linear", NULL};
    struct unipc *u = (struct unipc *)s;
    if (dit_noise_schedule_read(&u->schedule, config, DIT_TERMINAL_FLOOR, error))
        return error->status;
    u->order = (int)dit_json_int_or(config, "solver_order", 2, 1, MOST_ORDER, error);
    u->bh1 = dit_json_choice_or(config, "solver_type", types, 0, error) == 1;
    u->conversion.prediction = (dit_prediction)dit_json_choice_or(config, "prediction_type", dit_flow_prediction_names,
                                                                  DIT_PREDICTS_EPSILON, error);
    u->conversion.to_data = dit_json_switch_or(config, "predict_x0", true, error);
    dit_threshold_read(&u->conversion.threshold, config, error);
    u->conversion.threshold.on = u->conversion.threshold.on && u->conversion.to_data;
    u->lower_order_final = dit_json_switch_or(config, "lower_order_final", true, error);
    if (dit_json_has(config, "disable_corrector"))
        u->disabled_count = dit_json_ints(config, "disable_corrector", u->disabled, 0,
                                          sizeof u->disabled / sizeof *u->disabled, 0, DIT_MOST_STEPS, error);
    dit_sigma_rule_read(&u->sigma_rule, config, error);
    u->flow_sigmas = dit_json_bool_or(config, "use_flow_sigmas", false, error);
    u->flow_shift = dit_json_number_or(config, "flow_shift", 1, 1e-6, 1e6, error);
    u->shift_terminal = dit_json_number_or(config, "shift_terminal", 0, 0, 1, error);
    u->linear_time_shift = dit_json_choice_or(config, "time_shift_type", time_shifts, 0, error) == 1;
    u->final_sigma =
        (dit_final_sigma)dit_json_choice_or(config, "final_sigmas_type", dit_final_sigma_names, DIT_FINAL_ZERO, error);
    u->spacing =
        (dit_spacing)dit_json_choice_or(config, "timestep_spacing", dit_spacing_names, DIT_SPACING_LINSPACE, error);
    u->steps_offset = dit_json_int_or(config, "steps_offset", 0, -DIT_MOST_STEPS, DIT_MOST_STEPS, error);
    dit_sampler_read_shift(s, config, error);
    s->integer_timesteps = true;
    if (error->status)
        return error->status;
    if (dit_json_has(config, "solver_p"))
        return dit_json_fail(config, "solver_p", error, "is another solver as predictor, which is not supported");
    if (!u->flow_sigmas && dit_json_has(config, "shift_terminal"))
        return dit_json_fail(config, "shift_terminal", error, "needs \"use_flow_sigmas\"");
    if (u->shift_terminal == 1)
        return dit_json_fail(config, "shift_terminal", error, "is 1; the last sigma must be below it");
    if (!u->conversion.to_data && u->conversion.prediction == DIT_PREDICTS_FLOW)
        return dit_json_fail(config, "prediction_type", error, "is \"flow_prediction\", which needs \"predict_x0\"");
    return dit_sigma_table_make(&u->table, &u->schedule, error);
}

// --- timesteps ---

static void flow_sigmas(const struct unipc *u, double *sigmas)
{
    const dit_sampler *s = &u->base;
    int n = s->steps;
    for (int i = 0; i < n; i++) {
        double low = 1 / (double)u->schedule.train_steps, sigma = 1 + i * ((low - 1) / n);
        sigmas[i] = s->dynamic_shift ? dit_flow_time_shift(sigma, s->argument[DIT_MU], u->linear_time_shift)
                                     : dit_flow_shift(sigma, u->flow_shift);
    }
    if (u->shift_terminal != 0)
        dit_flow_stretch(sigmas, n, u->shift_terminal);
    if (fabs(sigmas[0] - 1) < 1e-6)
        sigmas[0] -= 1e-6; // lambda is finite there
}

// Fills n = s->steps sigmas and timesteps by the configuration's rule. Returns false when it has none.
static bool respace(const struct unipc *u, double *sigmas, double *timesteps)
{
    const dit_sampler *s = &u->base;
    const dit_sigma_table *table = &u->table;
    dit_sigma_spacing spacing = u->sigma_rule.spacing;
    bool karras = spacing == DIT_SIGMAS_KARRAS, flow = u->flow_sigmas && (karras || !spacing);
    int n = s->steps;
    if (spacing != DIT_SIGMAS_OF_TIMESTEPS)
        dit_spaced_sigmas(&u->sigma_rule, (double)table->sigma[table->count - 1], (double)table->sigma[0], n, sigmas);
    else if (flow)
        flow_sigmas(u, sigmas);
    else
        return false;
    for (int i = 0; i < n; i++) {
        if (flow && karras)
            sigmas[i] = sigmas[i] / (sigmas[i] + 1);
        timesteps[i] = flow ? sigmas[i] * (double)u->schedule.train_steps : dit_sigma_table_timestep(table, sigmas[i]);
        if (karras && !flow)
            timesteps[i] = nearbyint(timesteps[i]);
    }
    return true;
}

static dit_status set_timesteps(dit_sampler *s, int steps, dit_error *error)
{
    struct unipc *u = (struct unipc *)s;
    if (s->dynamic_shift && isnan(s->argument[DIT_MU]))
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "the configuration has \"use_dynamic_shifting\": the argument \"mu\" is needed");
    int64_t train = u->schedule.train_steps;
    dit_spacing_rule rule = {u->spacing, train, train, u->steps_offset, true, true};
    double *sigmas = malloc(((size_t)steps + 1) * sizeof *sigmas);
    if (!sigmas)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for %d steps", steps);
    if (dit_sampler_set_calls(s, steps, steps + 2, error))
        goto done;
    s->calls = dit_spaced_timesteps(&rule, steps, s->timesteps);
    double last = (double)u->table.sigma[0];
    if (respace(u, sigmas, s->timesteps)) {
        s->calls = steps;
        last = sigmas[steps - 1];
    } else {
        for (int i = 0; i < s->calls; i++)
            sigmas[i] = dit_interpolate(s->timesteps[i], u->table.sigma, u->table.count);
    }
    for (int i = 0; i < s->calls; i++) {
        s->timesteps[i] = trunc(s->timesteps[i]);
        s->sigmas[i] = (float)sigmas[i];
    }
    s->sigmas[s->calls] = u->final_sigma == DIT_FINAL_ZERO ? 0 : (float)last;
    s->sigma_count = s->calls + 1;
done:
    free(sigmas);
    return error->status;
}

// --- steps ---

static dit_status begin(dit_sampler *s, dit_error *error)
{
    struct unipc *u = (struct unipc *)s;
    float **rooms[] = {&u->start, &u->sum};
    for (int i = 0; i < 2; i++) {
        free(*rooms[i]);
        *rooms[i] = dit_sampler_room(s->count, error);
    }
    for (int i = 0; i <= u->order; i++) {
        free(u->memory[i]);
        u->memory[i] = dit_sampler_room(s->count, error);
    }
    free(u->room);
    u->room = dit_sampler_room(u->conversion.threshold.on ? s->size.channels * s->size.inner : 0, error);
    return error->status;
}

static dit_level level_of(const struct unipc *u, int i)
{
    return dit_level_of(u->base.sigmas[i], u->flow_sigmas);
}

// Splits a, n rows, into triangles L and U in its place, Gaussian elimination with partial pivoting; b's rows follow.
static void split(float a[MOST_ORDER][MOST_ORDER], float *b, int n)
{
    for (int column = 0; column < n; column++) {
        int pivot = column;
        for (int row = column + 1; row < n; row++)
            if (fabsf(a[row][column]) > fabsf(a[pivot][column]))
                pivot = row;
        for (int k = 0; k < n; k++) {
            float kept = a[column][k];
            a[column][k] = a[pivot][k];
            a[pivot][k] = kept;
        }
        float kept = b[column];
        b[column] = b[pivot];
        b[pivot] = kept;
        for (int row = column + 1; row < n; row++) {
            a[row][column] /= a[column][column];
            for (int k = column + 1; k < n; k++)
                a[row][k] -= a[row][column] * a[column][k];
        }
    }
}

// Solves a x = b, n equations; x replaces b. In float32 and in the order of the reference's library, sums before
// differences and reciprocals for divisions: where steps in lambda differ in size by orders of magnitude, rounding
// shows.
static void solve(float a[MOST_ORDER][MOST_ORDER], float *b, int n)
{
    split(a, b, n);
    for (int row = 1; row < n; row++) {
        float known = 0;
        for (int k = 0; k < row; k++)
            known += a[row][k] * b[k];
        b[row] -= known;
    }
    for (int row = n - 1; row >= 0; row--) {
        float known = 0;
        for (int k = row + 1; k < n; k++)
            known += a[row][k] * b[k];
        b[row] = (b[row] - known) * (1 / a[row][row]);
    }
}

struct weights {
    float phi_1, b_h;        // e^hh - 1, and B(hh)
    float ratio[MOST_ORDER]; // (order) steps in lambda to the remembered outputs, relative to this step; then 1
    float rho[MOST_ORDER];   // (order - 1) or, of a corrector, (order)
};

// Equations 9 and 10 of the paper for the step from call `from` to the next.
static struct weights weights_of(const struct unipc *u, int from, int order, float h, bool corrector)
{
    struct weights w = {0};
    float hh = u->conversion.to_data ? -h : h, a[MOST_ORDER][MOST_ORDER];
    w.phi_1 = (float)expm1((double)hh);
    w.b_h = u->bh1 ? hh : w.phi_1;
    float lambda = level_of(u, from).lambda;
    for (int i = 0; i < order; i++)
        w.ratio[i] = i + 1 < order ? (level_of(u, from - i - 1).lambda - lambda) / h : 1;
    float phi_k = w.phi_1 / hh - 1;
    double factorial = 1;
    for (int row = 0; row < order; row++) {
        for (int k = 0; k < order; k++)
            a[row][k] = row ? a[row - 1][k] * w.ratio[k] : 1;
        w.rho[row] = phi_k * (float)factorial / w.b_h;
        factorial *= row + 2;
        phi_k = phi_k / hh - (float)(1 / factorial);
    }
    int unknowns = corrector ? order : order - 1;
    if (unknowns == 1)
        w.rho[0] = 0.5f;
    else
        solve(a, w.rho, unknowns);
    return w;
}

// The state at call `from` + 1, from the state `x` and the outputs at call `from` and before. A corrector knows the
// output `newest` at call `from` + 1 too; a predictor has NULL there.
static void update(struct unipc *u, int from, int order, const float *x, const float *newest, float *out)
{
    int64_t n = u->base.count;
    dit_level now = level_of(u, from), then = level_of(u, from + 1);
    struct weights w = weights_of(u, from, order, then.lambda - now.lambda, newest != NULL);
    float scale = u->conversion.to_data ? then.alpha : then.sigma;
    float of_x = u->conversion.to_data ? then.sigma / now.sigma : then.alpha / now.alpha;
    float of_m0 = scale * w.phi_1, of_sum = scale * w.b_h, *sum = u->sum;
    const float *m0 = u->memory[0];
    for (int k = 0; k + 1 < order; k++) {
        const float *m = u->memory[k + 1];
        float rho = w.rho[k], ratio = w.ratio[k];
        bool adds = k > 0;
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            sum[i] = (adds ? sum[i] : 0) + rho * ((m[i] - m0[i]) / ratio);
    }
    float rho = w.rho[order - 1];
    bool has_sum = order > 1;
    if (newest) {
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            out[i] = of_x * x[i] - of_m0 * m0[i] - of_sum * ((has_sum ? sum[i] : 0) + rho * (newest[i] - m0[i]));
    } else if (has_sum) {
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            out[i] = of_x * x[i] - of_m0 * m0[i] - of_sum * sum[i];
    } else {
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            out[i] = of_x * x[i] - of_m0 * m0[i];
    }
}

static bool is_corrected(const struct unipc *u)
{
    if (u->base.next == u->base.first)
        return false;
    for (size_t i = 0; i < u->disabled_count; i++)
        if (u->disabled[i] == u->base.next - 1)
            return false;
    return true;
}

static void step(dit_sampler *s, const float *model_output, const float *noise, float *sample)
{
    (void)noise;
    struct unipc *u = (struct unipc *)s;
    int i = s->next, taken = i - s->first, left = s->calls - i;
    float *newest = u->memory[u->order];
    dit_convert_output(s, &u->conversion, level_of(u, i), s->sigmas[i], model_output, sample, newest, u->room);
    if (is_corrected(u))
        update(u, i - 1, u->last_order, u->start, newest, sample);
    memmove(u->memory + 1, u->memory, (size_t)u->order * sizeof *u->memory);
    u->memory[0] = newest;

    int order = u->lower_order_final && left < u->order ? left : u->order;
    u->last_order = order < taken + 1 ? order : taken + 1;
    memcpy(u->start, sample, (size_t)s->count * sizeof *sample);
    update(u, i, u->last_order, u->start, NULL, sample);
}

static void noise_level(const dit_sampler *s, int call, float *clean_part, float *noise_part)
{
    dit_level level = level_of((const struct unipc *)s, call);
    *clean_part = level.alpha;
    *noise_part = level.sigma;
}

static void release(dit_sampler *s)
{
    struct unipc *u = (struct unipc *)s;
    dit_noise_schedule_free(&u->schedule);
    dit_sigma_table_free(&u->table);
    for (int i = 0; i <= MOST_ORDER; i++)
        free(u->memory[i]);
    free(u->start);
    free(u->sum);
    free(u->room);
}

const dit_sampler_class dit_unipc_sampler = {
    .name = "UniPCMultistepScheduler",
    .size = sizeof(struct unipc),
    .arguments = DIT_ARGUMENT(MU),
    .configure = configure,
    .set_timesteps = set_timesteps,
    .begin = begin,
    .step = step,
    .noise_level = noise_level,
    .release = release,
};
