// sample/guidance.h: classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598): the network is called on a
// batch whose one half has the condition and whose other half has not, and the difference of the answers is amplified.
#ifndef DIT_SAMPLE_GUIDANCE_H
#define DIT_SAMPLE_GUIDANCE_H

#include "sample/sampler.h"

typedef struct dit_guidance {
    double scale;   // guided = without + scale * (with - without); 1: no guidance
    double rescale; // share of the rescaled answer (Lin et al. 2023, arXiv 2305.08891, section 3.4); 0: none
    double low;  // guidance acts at times in [low, high] only (Kynkäänniemi et al. 2024, arXiv 2404.07724). A time is
    double high; // the share of noise as the caller counts it: 1 at the start, 0 at the end
} dit_guidance;

// Guidance at every time, not rescaled.
static inline dit_guidance dit_guidance_of(double scale)
{
    return (dit_guidance){scale, 0, 0, 1};
}

// Whether there is guidance at that time; otherwise one call with the condition is all that is needed.
bool dit_guidance_acts(const dit_guidance *g, double time);

// The states for both halves: both[0..n) = both[n..2n) = x.
void dit_guidance_double(const float *x, int64_t n, float *both);

// Combines the two answers, each (batch, channels, inner). Only the first `guided` channels take part; the others, such
// as a predicted variance, are those of the answer with the condition. `out` may be either answer. Rescaling brings the
// standard deviation of each sample's guided channels back to that of the answer with the condition.
void dit_guidance_combine(const dit_guidance *g, const float *without, const float *with, const dit_sample_size *size,
                          int64_t guided, float *out);

#endif
