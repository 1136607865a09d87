// sample/sigmas.c: spacings of noise levels, and the way back from a noise level to a timestep.
#include "sample/sigmas.h"
#include "sample/sequence.h"
#include <math.h>
#include <stdlib.h>

const char *const dit_final_sigma_names[] = {"zero", "sigma_min", NULL};

dit_status dit_sigma_rule_read(dit_sigma_rule *rule, dit_json config, dit_error *error)
{
    static const struct {
        const char *key;
        dit_sigma_spacing spacing;
    } rows[] = {
        {"use_karras_sigmas", DIT_SIGMAS_KARRAS},
        {"use_exponential_sigmas", DIT_SIGMAS_EXPONENTIAL},
        {"use_beta_sigmas", DIT_SIGMAS_BETA},
    };
    *rule = (dit_sigma_rule){DIT_SIGMAS_OF_TIMESTEPS, NAN, NAN};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!dit_json_bool_or(config, rows[i].key, false, error))
            continue;
        if (rule->spacing != DIT_SIGMAS_OF_TIMESTEPS)
            dit_json_fail(config, rows[i].key, error, "is true beside another spacing of sigmas; only one can be");
        rule->spacing = rows[i].spacing;
    }
    if (dit_json_has(config, "sigma_min"))
        rule->sigma_min = dit_json_number(config, "sigma_min", 0, 1e6, error);
    if (dit_json_has(config, "sigma_max"))
        rule->sigma_max = dit_json_number(config, "sigma_max", 0, 1e6, error);
    return error->status;
}

void dit_spaced_sigmas(const dit_sigma_rule *rule, double first, double last, int n, double *out)
{
    const double rho = 7;
    double low = isnan(rule->sigma_min) ? last : rule->sigma_min;
    double high = isnan(rule->sigma_max) ? first : rule->sigma_max;
    if (rule->spacing == DIT_SIGMAS_EXPONENTIAL)
        dit_linspace(log(high), log(low), n, out);
    else
        dit_linspace(0, 1, n, out);
    double low_root = pow(low, 1 / rho), high_root = pow(high, 1 / rho);
    for (int i = 0; i < n; i++) {
        if (rule->spacing == DIT_SIGMAS_EXPONENTIAL)
            out[i] = exp(out[i]);
        else if (rule->spacing == DIT_SIGMAS_KARRAS)
            out[i] = pow(high_root + out[i] * (low_root - high_root), rho);
        else
            out[i] = low + dit_beta_quantile(1 - out[i], 0.6, 0.6) * (high - low);
    }
}

// --- from sigma to timestep ---

dit_status dit_sigma_table_make(dit_sigma_table *table, const dit_noise_schedule *schedule, dit_error *error)
{
    int n = schedule->count;
    float *room = malloc(3 * (size_t)n * sizeof *room);
    if (!room)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for a schedule of %d timesteps", n);
    *table = (dit_sigma_table){n, room, room + n, room + 2 * n};
    float least = INFINITY;
    for (int i = n - 1; i >= 0; i--) {
        table->sigma[i] = dit_noise_schedule_sigma(schedule, i);
        table->log_sigma[i] = dit_log_f32(table->sigma[i]);
        table->least[i] = least = fminf(least, table->log_sigma[i]);
    }
    return DIT_OK;
}

void dit_sigma_table_free(dit_sigma_table *table)
{
    free(table->sigma);
    *table = (dit_sigma_table){0};
}

double dit_sigma_table_timestep(const dit_sigma_table *table, double sigma)
{
    if (table->count < 2)
        return NAN;
    // The last entry that is not above, whether or not the table is sorted: entry i or a later one is such exactly when
    // the least of the entries from i on is.
    double x = log(sigma > 1e-10 ? sigma : 1e-10);
    int low = 0, high = table->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if ((double)table->least[middle] <= x)
            low = middle + 1;
        else
            high = middle;
    }
    int i = low > 0 ? low - 1 : 0;
    if (i > table->count - 2)
        i = table->count - 2;
    float below = table->log_sigma[i], above = table->log_sigma[i + 1];
    double w = ((double)below - x) / (double)(below - above);
    w = w < 0 ? 0 : w > 1 ? 1 : w;
    return (1 - w) * i + w * (i + 1);
}

// --- the beta distribution ---

// The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method.
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m < 500; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + even * d, c = 1 + even / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        f *= d * c;
        d = 1 + odd * d, c = 1 + odd / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        f *= d * c;
        if (fabs(d * c - 1) < 1e-16)
            break;
    }
    return f;
}

// The quantile p when it is below the mean: Newton steps on log x, where the distribution function is close to a power
// law, inside a bracket.
static double lower_quantile(double p, double a, double b)
{
    double log_beta = lgamma(a) + lgamma(b) - lgamma(a + b);
    double low = -745, high = log(a / (a + b));
    double u = (log(p * a) + log_beta) / a; // from P(X < x) ~ x^a / (a B(a, b))
    u = fmax(low, fmin(u, high));
    for (int i = 0; i < 100; i++) {
        double x = exp(u), log_density = (a - 1) * u + (b - 1) * log1p(-x) - log_beta;
        double tail = exp(log_density) * x * (1 - x) / a * beta_fraction(a, b, x);
        if (tail > p)
            high = u;
        else
            low = u;
        double next = u - (tail - p) / (exp(log_density) * x);
        if (!(next > low && next < high))
            next = (low + high) / 2;
        if (fabs(next - u) < 1e-16 * fabs(u) || next == u)
            return exp(next);
        u = next;
    }
    return exp(u);
}

double dit_beta_quantile(double p, double a, double b)
{
    if (p <= 0)
        return 0;
    if (p >= 1)
        return 1;
    // The fraction converges fast below the mean only; above it, the mirrored distribution does.
    double mean = a / (a + b), log_beta = lgamma(a) + lgamma(b) - lgamma(a + b);
    double at_mean = exp(a * log(mean) + b * log1p(-mean) - log_beta) / a * beta_fraction(a, b, mean);
    return p <= at_mean ? lower_quantile(p, a, b) : 1 - lower_quantile(1 - p, b, a);
}
