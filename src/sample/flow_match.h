// sample/flow_match.h: what samplers of straight paths x = (1 - sigma) * clean + sigma * noise share.
#ifndef DIT_SAMPLE_FLOW_MATCH_H
#define DIT_SAMPLE_FLOW_MATCH_H

#include "sample/sampler_private.h"
#include <math.h>

// shift * sigma / (1 + (shift - 1) * sigma).
static inline double dit_flow_shift(double sigma, double shift)
{
    return shift * sigma / (1 + (shift - 1) * sigma);
}

// The shift by mu: e^mu (or, `is_linear`, mu) takes the place of the ratio of noise to signal.
static inline double dit_flow_time_shift(double sigma, double mu, bool is_linear)
{
    double numerator = is_linear ? mu : exp(mu);
    return numerator / (numerator + (1 / sigma - 1));
}

// Stretches n sigmas, so that the last one is `terminal`.
static inline void dit_flow_stretch(double *sigmas, int n, double terminal)
{
    double scale = (1 - sigmas[n - 1]) / (1 - terminal);
    for (int i = 0; i < n; i++)
        sigmas[i] = 1 - (1 - sigmas[i]) / scale;
}

// Sigma of training timestep t in 1..train_steps, in float32; shifted when `is_shifted`.
static inline double dit_flow_train_sigma(int64_t t, int64_t train_steps, double shift, bool is_shifted)
{
    float sigma = (float)t / (float)train_steps;
    if (is_shifted)
        sigma = (float)shift * sigma / (1 + (float)(shift - 1) * sigma);
    return (double)sigma;
}

static inline void dit_flow_noise_level(const dit_sampler *s, int call, float *clean_part, float *noise_part)
{
    *noise_part = s->sigmas[call];
    *clean_part = 1 - s->sigmas[call];
}

#endif
