// sample/sequence.h: the sequences of numbers that schedules are made of, with numpy's and torch's rounding.
#ifndef DIT_SAMPLE_SEQUENCE_H
#define DIT_SAMPLE_SEQUENCE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

// numpy.linspace(start, stop, n): float64, both ends included. n >= 1.
void dit_linspace(double start, double stop, int n, double *out);
// Value i of torch.linspace(start, stop, n, dtype=float32) on the CPU: counted from the nearer end, with a fused
// multiply-add.
float dit_linspace_f32(float start, float stop, int n, int i);
// numpy.arange(start, stop, step): how many values, and value number i. step != 0.
int64_t dit_arange_count(double start, double stop, double step);
double dit_arange_at(double start, double step, int64_t i);
// numpy.interp(x, arange(n), y): y at a fractional index, its end values beyond the ends. n >= 1.
double dit_interpolate(double x, const float *y, int n);

// numpy.log of a positive normal float32 as its vector code computes it, within about 1.5 units in the last place; the
// timestep of a noise level is found by comparing such logarithms, so rounding decides between neighbours.
float dit_log_f32(float x);

// Correctly rounded (all but always), unlike logf and expf, so that schedules do not depend on the C library.
static inline float dit_exact_log(float x)
{
    return (float)log((double)x);
}
static inline float dit_exact_exp(float x)
{
    return (float)exp((double)x);
}

// How training timesteps are thinned out: Lin et al. 2023 (arXiv 2305.08891), table 2.
typedef enum dit_spacing {
    DIT_SPACING_LINSPACE,
    DIT_SPACING_LEADING,
    DIT_SPACING_TRAILING,
} dit_spacing;
extern const char *const dit_spacing_names[]; // ends with NULL

typedef struct dit_spacing_rule {
    dit_spacing kind;
    int64_t train_steps; // num_train_timesteps
    int64_t last;        // timesteps used: 0..last-1; train_steps unless the schedule is clipped
    int64_t offset;      // steps_offset, added by "leading"
    bool rounded;        // "linspace" gives integers
    bool one_more;       // "linspace" and "leading" lay out steps + 1 times and drop the last one
} dit_spacing_rule;

// Times from late to early into out, which has room for steps + 1; returns how many: `steps`, but
// "trailing" gives one more where last / (train_steps / steps) rounds up to more than `steps`, and fewer when the
// schedule is clipped (0 <= last <= train_steps). Values are exact in double.
int dit_spaced_timesteps(const dit_spacing_rule *rule, int steps, double *out);

#endif
