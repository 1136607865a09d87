// train/objective.h: what a network learns: a forward process, what is predicted of it, and how samples weigh.
//
// A noisy sample is x_t = signal * x_0 + sigma * noise. Diffusion (Ho et al. 2020, arXiv 2006.11239): signal =
// sqrt(abar_t), sigma = sqrt(1 - abar_t), t an integer. Flow matching (Lipman et al. 2022, arXiv 2210.02747; Liu et al.
// 2022, arXiv 2209.03003): signal = 1 - t, sigma = t, t in (0, 1), and the network's timestep is 1000 t. A classifier
// has no such process: it sees pictures as they are.
#ifndef DIT_TRAIN_OBJECTIVE_H
#define DIT_TRAIN_OBJECTIVE_H

#include "graph/graph.h"

typedef enum dit_process { DIT_DIFFUSION, DIT_FLOW, DIT_CLASSIFICATION } dit_process;
typedef enum dit_target {
    DIT_TARGET_NOISE,    // epsilon
    DIT_TARGET_SAMPLE,   // x_0
    DIT_TARGET_VELOCITY, // diffusion: signal * noise - sigma * x_0 (Salimans and Ho 2022, arXiv 2202.00512); flow:
                         // noise - x_0
} dit_target;
typedef enum dit_times { DIT_TIMES_UNIFORM, DIT_TIMES_LOGIT_NORMAL } dit_times;

typedef struct dit_objective {
    dit_process process;
    dit_target target;
    dit_times times;              // of a flow; diffusion draws uniformly among its steps
    double logit_mean, logit_std; // of logit_normal (Esser et al. 2024, arXiv 2403.03206, section 3.1)
    bool learned_variance;        // diffusion: the network's second half interpolates log variances (arXiv 2102.09672)
    double min_snr_gamma;         // diffusion: 0 for none (Hang et al. 2023, arXiv 2303.09556)
    bool velocity_loss; // flow that predicts x_0: the error counts as the velocity's, (x_t - x_0) / t, with ...
    double least_time;  // ... t no less than this (Li and He 2025, arXiv 2511.13720)
    int steps;          // of a diffusion
    double beta_start, beta_end; // linear betas of a diffusion
    double label_smoothing;      // classification: the part of a label that is spread over all classes
    double *signal_square;       // [steps] abar, by dit_objective_prepare; free with dit_objective_release
} dit_objective;

// Checks the choices against each other and makes the table. The error names the key of the recipe.
dit_status dit_objective_prepare(dit_objective *o, dit_error *error);
void dit_objective_release(dit_objective *o);

// The time of sample `index` of the run: an integer step as a double, or t of a flow. A function of the seed alone.
double dit_objective_time(const dit_objective *o, uint64_t seed, uint64_t index);
// What the network is told: t of a diffusion, 1000 t of a flow.
double dit_objective_timestep(const dit_objective *o, double time);

// What a batch gives the graph, one value a sample: rows of the tensor `coefficients` (B, DIT_COEFFICIENTS).
enum {
    DIT_SIGNAL,
    DIT_SIGMA,
    DIT_WEIGHT,
    DIT_LOG_VARIANCE_LOW,
    DIT_LOG_VARIANCE_HIGH,
    DIT_POSTERIOR_SAMPLE,
    DIT_POSTERIOR_STATE,
    DIT_IS_FIRST_STEP,
    DIT_COEFFICIENTS
};
void dit_objective_coefficients(const dit_objective *o, double time, float row[DIT_COEFFICIENTS]);

// x_t from x_0 and noise, both (B, C, H, W), and coefficients (B, DIT_COEFFICIENTS).
dit_tensor dit_objective_noisy(dit_graph *g, dit_tensor x0, dit_tensor noise, dit_tensor coefficients);
// The loss, a scalar, of the network's output for x_t: (B, C, H, W), or (B, 2C, H, W) with a learned variance.
dit_tensor dit_objective_loss(dit_graph *g, const dit_objective *o, dit_tensor output, dit_tensor x0, dit_tensor noise,
                              dit_tensor noisy, dit_tensor coefficients);

#endif
