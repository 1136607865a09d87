// backend/cpu/sum_loops.h: the loops of a sum, for the kernels of sum and mean.
#ifndef DIT_BACKEND_CPU_SUM_LOOPS_H
#define DIT_BACKEND_CPU_SUM_LOOPS_H

#include "backend/cpu/reduce.h"
#include "backend/cpu/row_sums.h"

static void dit_sum_row(double *total, const char *x, int64_t stride, int64_t n)
{
    if (stride == sizeof(float)) {
        const float *dense = (const float *)(const void *)x;
        *total += dit_sum_of_row(dense, dense, 0, n);
    } else {
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += (double)*(const float *)(const void *)(x + i * stride);
        *total += sum;
    }
}

static void dit_sum_columns(double *total, const char *x, int64_t stride, int64_t n, int64_t width)
{
    int64_t r = 0;
    for (; r + 8 <= n; r += 8) {
        const float *row[8];
        for (int k = 0; k < 8; k++)
            row[k] = (const float *)(const void *)(x + (r + k) * stride);
#pragma omp simd
        for (int64_t c = 0; c < width; c++) {
            float first = (row[0][c] + row[1][c]) + (row[2][c] + row[3][c]);
            float second = (row[4][c] + row[5][c]) + (row[6][c] + row[7][c]);
            total[c] += (double)(first + second);
        }
    }
    for (; r < n; r++) {
        const float *row = (const float *)(const void *)(x + r * stride);
#pragma omp simd
        for (int64_t c = 0; c < width; c++)
            total[c] += (double)row[c];
    }
}

static void dit_sum_merge(double *total, const double *part, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        total[i] += part[i];
}

static const dit_reduction dit_sum_reduction = {0, dit_sum_row, dit_sum_columns, dit_sum_merge};

#endif
