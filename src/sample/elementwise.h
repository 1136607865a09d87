// sample/elementwise.h: what samplers do to whole states.
#ifndef DIT_SAMPLE_ELEMENTWISE_H
#define DIT_SAMPLE_ELEMENTWISE_H

#include "sample/noise_schedule.h"
#include "sample/sampler.h"

// Before a loop over the elements of a state: vector code, and threads where the state is worth waking them.
#define DIT_EACH(count) DIT_EACH_PRAGMA(omp parallel for simd schedule(static) if (count >= 1 << 18))
#define DIT_EACH_PRAGMA(text) _Pragma(#text)

// The two halves of a network's output (batch, output_channels, inner) as one dense array each, where it predicts a
// variance after the mean. Rows of the halves lie `channels * inner` apart in `mean` and `variance`, which have the
// state's size. With output_channels == channels there is no variance and nothing is copied.
typedef struct dit_halves {
    const float *mean;     // (batch, channels, inner)
    const float *variance; // the same, or NULL
} dit_halves;

// `room` has space for two states; it is used only when there are two halves.
dit_halves dit_split_output(const dit_sampler *s, const float *model_output, float *room);

// For a state x = alpha * x0 + sigma * epsilon (or, for DIT_PREDICTS_FLOW, x = (1 - sigma) * x0 + sigma * epsilon):
// what the network's output says of x0, and of epsilon. All arrays have n values; `out` may be `output`. alpha is not
// used for a flow.
void dit_predicted_x0(dit_prediction kind, float alpha, float sigma, const float *x, const float *output, float *out,
                      int64_t n);
// Not for DIT_PREDICTS_FLOW.
void dit_predicted_epsilon(dit_prediction kind, float alpha, float sigma, const float *x, const float *output,
                           float *out, int64_t n);
// x clamped to [-range, range], in place.
void dit_clip(float *x, float range, int64_t n);

// Dynamic thresholding (Saharia et al. 2022, arXiv 2205.11487, section 2.3): per sample, clip to the given quantile of
// the absolute values (at least 1, at most sample_max_value) and divide by it.
typedef struct dit_threshold {
    bool on;
    double ratio; // dynamic_thresholding_ratio
    double most;  // sample_max_value
} dit_threshold;

dit_status dit_threshold_read(dit_threshold *threshold, dit_json config, dit_error *error);
// In place on (batch, channels, inner); `room` has space for channels * inner values.
void dit_threshold_apply(const dit_threshold *threshold, const dit_sample_size *size, float *x, float *room);

#endif
