// backend/cpu/norm_row.h: what the norm kernels do with one dense row.
#ifndef DIT_BACKEND_CPU_NORM_ROW_H
#define DIT_BACKEND_CPU_NORM_ROW_H

#include "backend/cpu/row_sums.h"
#include <math.h>

// The data of an input that may be absent, or NULL.
static inline const float *dit_floats_or_null(const dit_view *v)
{
    return dit_is_absent(v) ? NULL : v->data;
}

typedef struct dit_row_moments {
    float mean, scale; // scale: 1 / sqrt(variance + eps)
} dit_row_moments;

// Two passes over a row that the first one brings into the cache: the mean, then the squares of what is left.
static inline dit_row_moments dit_layer_moments(const float *x, int64_t n, float eps)
{
    float mean = (float)(dit_sum_of_row(x, x, 0, n) / (double)n);
    double variance = dit_sum_of_squares(x, x, mean, n) / (double)n;
    return (dit_row_moments){mean, (float)(1 / sqrt(variance + (double)eps))};
}

static inline dit_row_moments dit_rms_moments(const float *x, int64_t n, float eps)
{
    return (dit_row_moments){0, (float)(1 / sqrt(dit_sum_of_squares(x, x, 0, n) / (double)n + (double)eps))};
}

// y = (x - mean) * scale * weight + bias; weight and bias may be NULL, y may be x.
static inline void dit_row_normalise(float *y, const float *x, dit_row_moments m, const float *weight,
                                     const float *bias, int64_t n)
{
    if (weight && bias) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            y[i] = (x[i] - m.mean) * m.scale * weight[i] + bias[i];
    } else if (weight) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            y[i] = (x[i] - m.mean) * m.scale * weight[i];
    } else {
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            y[i] = (x[i] - m.mean) * m.scale;
    }
}

#endif
