// sample/sigmas.h: spacings of noise levels, and the training timestep that belongs to a noise level.
#ifndef DIT_SAMPLE_SIGMAS_H
#define DIT_SAMPLE_SIGMAS_H

#include "sample/noise_schedule.h"

typedef enum dit_sigma_spacing {
    DIT_SIGMAS_OF_TIMESTEPS, // those of the chosen timesteps
    DIT_SIGMAS_KARRAS,       // Karras et al. 2022 (arXiv 2206.00364), equation 5, rho 7
    DIT_SIGMAS_EXPONENTIAL,  // even in the logarithm
    DIT_SIGMAS_BETA,         // quantiles of Beta(0.6, 0.6), Lee et al. 2024 (arXiv 2407.12173)
} dit_sigma_spacing;

typedef struct dit_sigma_rule {
    dit_sigma_spacing spacing;
    double sigma_min, sigma_max; // NaN: the ends of the sigmas that are replaced
} dit_sigma_rule;

// Reads use_karras_sigmas, use_exponential_sigmas, use_beta_sigmas (at most one true), sigma_min and sigma_max.
dit_status dit_sigma_rule_read(dit_sigma_rule *rule, dit_json config, dit_error *error);
// n sigmas from `first` (the largest) to `last`, by a rule other than DIT_SIGMAS_OF_TIMESTEPS.
void dit_spaced_sigmas(const dit_sigma_rule *rule, double first, double last, int n, double *out);

// The inverse of t -> log(sigma(t)), with linear interpolation between the table's entries.
typedef struct dit_sigma_table {
    int count;
    float *sigma;     // (count); owns the memory of all three
    float *log_sigma; // (count)
    float *least;     // (count) the least of log_sigma[i..]
} dit_sigma_table;

dit_status dit_sigma_table_make(dit_sigma_table *table, const dit_noise_schedule *schedule, dit_error *error);
void dit_sigma_table_free(dit_sigma_table *table);
// A fractional index into the schedule. NaN when the table has one entry only.
double dit_sigma_table_timestep(const dit_sigma_table *table, double sigma);

// The value below which a Beta(a, b) variable is with probability p in [0, 1], to about 1e-14. a, b > 0.
double dit_beta_quantile(double p, double a, double b);

typedef enum dit_final_sigma {
    DIT_FINAL_ZERO,
    DIT_FINAL_SIGMA_MIN,
} dit_final_sigma;
extern const char *const dit_final_sigma_names[]; // ends with NULL

#endif
