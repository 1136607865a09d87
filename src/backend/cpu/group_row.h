// backend/cpu/group_row.h: mean and variance of a group that does not fit into the cache, in one pass over memory.
#ifndef DIT_BACKEND_CPU_GROUP_ROW_H
#define DIT_BACKEND_CPU_GROUP_ROW_H

#include "backend/cpu/norm_row.h"

// Runs of 1024 have their own mean and sum of squares, which are merged: Chan, Golub and LeVeque 1979 (Updating
// formulae and a pairwise algorithm for computing sample variances), equation 2.1.
static inline dit_row_moments dit_group_moments(const float *x, int64_t n, float eps)
{
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < n; i += DIT_RUN) {
        int64_t m = n - i < DIT_RUN ? n - i : DIT_RUN;
        // The sum of squares is taken around the float nearest to the mean, and moved to the mean itself.
        double run_mean = dit_sum_of_row(x + i, x + i, 0, m) / (double)m, off = run_mean - (double)(float)run_mean;
        double run_squares = dit_sum_of_squares(x + i, x + i, (float)run_mean, m) - (double)m * off * off;
        double delta = run_mean - mean, total = (double)(i + m);
        squares += run_squares + delta * delta * (double)i * (double)m / total;
        mean += delta * (double)m / total;
    }
    return (dit_row_moments){(float)mean, (float)(1 / sqrt(fmax(squares / (double)n, 0) + (double)eps))};
}

#endif
