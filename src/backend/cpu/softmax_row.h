// backend/cpu/softmax_row.h: the steps of a softmax over a dense row.
#ifndef DIT_BACKEND_CPU_SOFTMAX_ROW_H
#define DIT_BACKEND_CPU_SOFTMAX_ROW_H

#include "backend/cpu/row_sums.h"
#include "backend/cpu/vmath.h"

// The largest element; one that is NaN may be passed over (it shows in the sum).
static inline float dit_row_largest(const float *x, int64_t n)
{
    enum { LANES = 4 * DIT_LANES };
    float lane[LANES], largest = -INFINITY;
    int64_t i = 0;
    for (int k = 0; k < LANES; k++)
        lane[k] = -INFINITY;
    for (; i + LANES <= n; i += LANES)
#pragma omp simd
        for (int k = 0; k < LANES; k++)
            lane[k] = x[i + k] > lane[k] ? x[i + k] : lane[k];
    for (; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;
    for (int k = 0; k < LANES; k++)
        largest = lane[k] > largest ? lane[k] : largest;
    return largest;
}

// y = exp(x - largest); returns the sum of y, which may be x.
static inline double dit_row_exp(float *y, const float *x, float largest, int64_t n)
{
    double total = 0;
    for (int64_t start = 0; start < n; start += 256) {
        int64_t end = n - start < 256 ? n : start + 256;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = start; i < end; i++) {
            float e = vexp(x[i] - largest);
            y[i] = e;
            sum += e;
        }
        total += (double)sum;
    }
    return total;
}

// The sum of exp(x - largest).
static inline double dit_row_exp_sum(const float *x, float largest, int64_t n)
{
    double total = 0;
    for (int64_t start = 0; start < n; start += 256) {
        int64_t end = n - start < 256 ? n : start + 256;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = start; i < end; i++)
            sum += vexp(x[i] - largest);
        total += (double)sum;
    }
    return total;
}

#endif
