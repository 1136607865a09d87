// sample/noise_schedule.h: how much signal is left at every training timestep of a diffusion.
#ifndef DIT_SAMPLE_NOISE_SCHEDULE_H
#define DIT_SAMPLE_NOISE_SCHEDULE_H

#include "io/json.h"

typedef struct dit_noise_schedule {
    int64_t train_steps; // num_train_timesteps
    int count;           // entries of the table: train_steps, or as many as trained_betas has
    float
        *alphas_cumprod; // (count) product of 1 - beta up to and with each timestep; free with dit_noise_schedule_free
} dit_noise_schedule;

enum {
    DIT_SIGMOID_AND_LAPLACE = 1, // beta_schedule may be "sigmoid" or "laplace" too
    DIT_TERMINAL_FLOOR = 2,      // rescale_betas_zero_snr leaves 2^-24 at the end, so that sigma stays finite
    DIT_NO_RESCALING = 4,        // the class does not know rescale_betas_zero_snr
    DIT_EXP = 8,                 // beta_schedule may be "exp" too
    DIT_LATENT_BETAS = 16,       // betas are 0.00085 to 0.012 by default, else 0.0001 to 0.02
    DIT_SCALED_BY_DEFAULT = 32,  // beta_schedule is "scaled_linear" by default, else "linear"
};

// Reads num_train_timesteps, beta_start, beta_end, beta_schedule, trained_betas and rescale_betas_zero_snr.
dit_status dit_noise_schedule_read(dit_noise_schedule *schedule, dit_json config, unsigned flags, dit_error *error);
void dit_noise_schedule_free(dit_noise_schedule *schedule);

// The product at timestep t. Like the reference's table, counts from the end for t < 0; the caller has made sure that
// -count <= t < count (see dit_noise_schedule_check).
float dit_noise_schedule_at(const dit_noise_schedule *schedule, double t);
// DIT_BAD_ARGUMENT unless every timestep is in the table.
dit_status dit_noise_schedule_check(const dit_noise_schedule *schedule, const double *timesteps, int n,
                                    dit_error *error);
// sqrt((1 - a) / a): the noise level of a state that is scaled to keep the signal at 1.
float dit_noise_schedule_sigma(const dit_noise_schedule *schedule, int t);

// What a network predicts.
typedef enum dit_prediction {
    DIT_PREDICTS_EPSILON,
    DIT_PREDICTS_SAMPLE,
    DIT_PREDICTS_V,    // Salimans and Ho 2022 (arXiv 2202.00512)
    DIT_PREDICTS_FLOW, // noise - sample
} dit_prediction;
// End with NULL: "epsilon", "sample", "v_prediction"; the other one has "flow_prediction" too.
extern const char *const dit_prediction_names[], *const dit_flow_prediction_names[];

#endif
