// sample/multistep.h: what solvers in lambda = log(alpha / sigma) share (Lu et al. 2022, arXiv 2206.00927).
#ifndef DIT_SAMPLE_MULTISTEP_H
#define DIT_SAMPLE_MULTISTEP_H

#include "sample/sampler_private.h"

// Parts of signal and noise in a state.
typedef struct dit_level {
    float alpha, sigma, lambda;
} dit_level;

// At the noise level that the sampler's table gives: of a flow, x = (1 - s) * clean + s * noise; else of a diffusion,
// (clean + s * noise) / sqrt(s^2 + 1).
dit_level dit_level_of(float s, bool is_flow);

// What the solver works with, out of what the network gives.
typedef struct dit_conversion {
    dit_prediction prediction;
    bool to_data; // predictions of the data, else of the noise
    dit_threshold threshold;
} dit_conversion;

// For the call s->next, at `level` with the table's noise level `sigma`. out: like sample. `room` has space for one row
// where there is a threshold.
void dit_convert_output(const dit_sampler *s, const dit_conversion *how, dit_level level, float sigma,
                        const float *output, const float *sample, float *out, float *room);

#endif
