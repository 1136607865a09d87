// sample/noise_schedule.c: betas from their description, and their running product.
//   linear, scaled_linear: Ho et al. 2020 (arXiv 2006.11239) and latent diffusion (arXiv 2112.10752)
//   squaredcos_cap_v2: Nichol and Dhariwal 2021 (arXiv 2102.09672), equation 17
//   sigmoid: Xu et al. 2022 (arXiv 2203.02923)
//   rescale_betas_zero_snr: Lin et al. 2023 (arXiv 2305.08891), algorithm 1
#include "sample/noise_schedule.h"
#include "sample/sampler.h"
#include "sample/sequence.h"
#include <math.h>
#include <stdlib.h>

const char *const dit_prediction_names[] = {"epsilon", "sample", "v_prediction", NULL};
const char *const dit_flow_prediction_names[] = {"epsilon", "sample", "v_prediction", "flow_prediction", NULL};

enum beta_schedule { LINEAR, SCALED_LINEAR, SQUAREDCOS, SIGMOID, LAPLACE, EXP };

static double signal_cosine(double t)
{
    double c = cos((t + 0.008) / 1.008 * M_PI / 2);
    return c * c;
}

static double signal_laplace(double t)
{
    double log_snr = -0.5 * copysign(1, 0.5 - t) * log(1 - 2 * fabs(0.5 - t) + 1e-6);
    double snr = exp(log_snr);
    return sqrt(snr / (1 + snr));
}

static double signal_exp(double t)
{
    return exp(t * -12.0);
}

static void betas_from_signal(double (*signal)(double), int n, float *betas)
{
    for (int i = 0; i < n; i++) {
        double beta = 1 - signal((i + 1) / (double)n) / signal(i / (double)n);
        betas[i] = (float)(beta < 0.999 ? beta : 0.999);
    }
}

static void make_betas(enum beta_schedule kind, double start, double end, int n, float *betas)
{
    if (kind == SQUAREDCOS || kind == LAPLACE || kind == EXP) {
        betas_from_signal(kind == LAPLACE ? signal_laplace : kind == EXP ? signal_exp : signal_cosine, n, betas);
        return;
    }
    for (int i = 0; i < n; i++) {
        if (kind == LINEAR) {
            betas[i] = dit_linspace_f32((float)start, (float)end, n, i);
        } else if (kind == SCALED_LINEAR) {
            float root = dit_linspace_f32((float)sqrt(start), (float)sqrt(end), n, i);
            betas[i] = root * root;
        } else {
            double sigmoid = 1 / (1 + exp(-(double)dit_linspace_f32(-6, 6, n, i)));
            betas[i] = (float)sigmoid * (float)(end - start) + (float)start;
        }
    }
}

// out[i] = product of 1 - betas[0..i], accumulated in double; `out` may be `betas`.
static void running_product(const float *betas, int n, float *out)
{
    double product = 1;
    for (int i = 0; i < n; i++) {
        product *= (double)(1.0f - betas[i]);
        out[i] = (float)product;
    }
}

// Moves the square roots of the products so that the last one is zero and the first one stays. `x` holds betas before
// and after.
static dit_status rescale_to_zero_snr(float *x, int n, dit_error *error)
{
    float *signal = calloc((size_t)n, sizeof *signal);
    if (!signal)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for a schedule of %d timesteps", n);
    running_product(x, n, signal);
    for (int i = 0; i < n; i++)
        signal[i] = sqrtf(signal[i]);
    float first = signal[0], last = signal[n - 1], scale = first / (first - last);
    for (int i = 0; i < n; i++) {
        float s = (signal[i] - last) * scale;
        signal[i] = s * s;
    }
    x[0] = 1 - signal[0];
    for (int i = 1; i < n; i++)
        x[i] = 1 - signal[i] / signal[i - 1];
    free(signal);
    return DIT_OK;
}

static dit_status read_trained_betas(dit_json config, float *betas, int n, dit_error *error)
{
    double *values = malloc((size_t)n * sizeof *values);
    if (!values)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for %d trained betas", n);
    dit_json_numbers(config, "trained_betas", values, (size_t)n, (size_t)n, 0, 1, error);
    for (int i = 0; i < n && !error->status; i++)
        betas[i] = (float)values[i];
    free(values);
    return error->status;
}

static enum beta_schedule read_kind(dit_json config, unsigned flags, dit_error *error)
{
    static const struct {
        const char *name;
        unsigned flag; // 0: every class knows it
    } rows[] = {
        [LINEAR] = {"linear", 0},
        [SCALED_LINEAR] = {"scaled_linear", 0},
        [SQUAREDCOS] = {"squaredcos_cap_v2", 0},
        [SIGMOID] = {"sigmoid", DIT_SIGMOID_AND_LAPLACE},
        [LAPLACE] = {"laplace", DIT_SIGMOID_AND_LAPLACE},
        [EXP] = {"exp", DIT_EXP},
    };
    enum { KINDS = sizeof rows / sizeof *rows };
    const char *names[KINDS + 1] = {0};
    enum beta_schedule kinds[KINDS];
    int known = 0;
    for (int i = 0; i < KINDS; i++)
        if (!rows[i].flag || flags & rows[i].flag) {
            names[known] = rows[i].name;
            kinds[known++] = (enum beta_schedule)i;
        }
    int otherwise = flags & DIT_SCALED_BY_DEFAULT ? SCALED_LINEAR : LINEAR; // both come first in either list
    return kinds[dit_json_choice_or(config, "beta_schedule", names, otherwise, error)];
}

dit_status dit_noise_schedule_read(dit_noise_schedule *schedule, dit_json config, unsigned flags, dit_error *error)
{
    bool latent = flags & DIT_LATENT_BETAS;
    *schedule = (dit_noise_schedule){0};
    int64_t train_steps = dit_json_int_or(config, "num_train_timesteps", 1000, 1, DIT_MOST_STEPS, error);
    double start = dit_json_number_or(config, "beta_start", latent ? 0.00085 : 0.0001, 0, 1, error);
    double end = dit_json_number_or(config, "beta_end", latent ? 0.012 : 0.02, 0, 1, error);
    enum beta_schedule kind = read_kind(config, flags, error);
    bool rescale = !(flags & DIT_NO_RESCALING) && dit_json_bool_or(config, "rescale_betas_zero_snr", false, error);
    bool trained = dit_json_has(config, "trained_betas");
    size_t listed = trained ? dit_json_count(dit_json_list(config, "trained_betas", error)) : 0;
    if (!error->status && trained && (listed < 1 || listed > DIT_MOST_STEPS))
        dit_json_fail(config, "trained_betas", error, "has %zu values; 1 to %d are possible", listed, DIT_MOST_STEPS);
    if (error->status)
        return error->status;

    schedule->train_steps = train_steps;
    schedule->count = trained ? (int)listed : (int)train_steps;
    float *betas = malloc((size_t)schedule->count * sizeof *betas);
    if (!betas)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for a schedule of %d timesteps", schedule->count);
    schedule->alphas_cumprod = betas;
    if (trained)
        read_trained_betas(config, betas, schedule->count, error);
    else
        make_betas(kind, start, end, schedule->count, betas);
    if (!error->status && rescale)
        rescale_to_zero_snr(betas, schedule->count, error);
    running_product(betas, schedule->count, schedule->alphas_cumprod);
    if (rescale && flags & DIT_TERMINAL_FLOOR)
        schedule->alphas_cumprod[schedule->count - 1] = 0x1p-24f;
    if (error->status)
        dit_noise_schedule_free(schedule);
    return error->status;
}

void dit_noise_schedule_free(dit_noise_schedule *schedule)
{
    free(schedule->alphas_cumprod);
    schedule->alphas_cumprod = NULL;
}

float dit_noise_schedule_at(const dit_noise_schedule *schedule, double t)
{
    int i = (int)t;
    return schedule->alphas_cumprod[i < 0 ? i + schedule->count : i];
}

dit_status dit_noise_schedule_check(const dit_noise_schedule *schedule, const double *timesteps, int n,
                                    dit_error *error)
{
    for (int i = 0; i < n; i++)
        if (!(timesteps[i] >= -schedule->count && timesteps[i] < schedule->count))
            return dit_fail(
                error, DIT_BAD_ARGUMENT,
                "step %d is at timestep %.0f, but the schedule has only %d timesteps; ask for other steps or "
                "correct steps_offset",
                i + 1, timesteps[i], schedule->count);
    return DIT_OK;
}

float dit_noise_schedule_sigma(const dit_noise_schedule *schedule, int t)
{
    float a = schedule->alphas_cumprod[t];
    return sqrtf((1 - a) / a);
}
