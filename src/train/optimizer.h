// train/optimizer.h: AdamW (Loshchilov and Hutter 2017, arXiv 1711.05101, algorithm 2, as torch.optim.AdamW computes
// it), gradient clipping by the global norm, and moving averages of the weights.
#ifndef DIT_TRAIN_OPTIMIZER_H
#define DIT_TRAIN_OPTIMIZER_H

#include "graph/weights.h"

enum { DIT_MAX_EMA = 4 };

typedef struct dit_optimizer_options {
    double beta1, beta2, eps;
    double weight_decay;      // of matrices
    double bias_weight_decay; // of biases and norm weights: parameters of fewer than two axes longer than 1
    double clip_norm;         // 0: no clipping
    dit_dtype moments;        // how they are stored: DIT_F32, or DIT_BF16, which takes half the memory
    int ema_count;
    double ema[DIT_MAX_EMA]; // decays
} dit_optimizer_options;

// One parameter with its state of `count` elements, f32 but for the moments. Moments in bf16 are rounded up or down at
// random, so that on average they keep what a step adds, however little (Gupta et al. 2015, arXiv 1502.02551); the
// random bits are functions of step, parameter and element.
typedef struct dit_optimized {
    const char *name; // borrowed
    dit_shape shape;
    int64_t count;
    float *weight;   // borrowed
    float *gradient; // borrowed; set before each step
    void *m, *v;     // first and second moments, of options.moments
    float *ema[DIT_MAX_EMA];
    bool is_matrix;
} dit_optimized;

typedef struct dit_optimizer {
    dit_optimizer_options options;
    int count;
    dit_optimized *items; // [count]
    int64_t steps;        // taken
} dit_optimizer;

// State for every f32 tensor of `weights`, which must outlive it. Averages start at the weights.
dit_status dit_optimizer_open(dit_optimizer *o, const dit_weights *weights, const dit_optimizer_options *options,
                              dit_error *error);
void dit_optimizer_close(dit_optimizer *o);

// The global l2 norm of the gradients times `scale`.
double dit_optimizer_norm(const dit_optimizer *o, double scale);
// One step with gradients times `scale` (1 / accumulated micro-batches), whose norm the caller has from
// dit_optimizer_norm. Updates weights, moments and averages.
void dit_optimizer_step(dit_optimizer *o, double learning_rate, double scale, double norm);

#endif
