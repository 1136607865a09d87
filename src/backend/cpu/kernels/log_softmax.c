// backend/cpu/kernels/log_softmax.c: y = x - log(sum(exp(x))) along an axis.
#include "backend/cpu/along_axis.h"
#include "backend/cpu/softmax_row.h"

static void row(float *y, const float *x, const float *unused, int64_t n)
{
    (void)unused;
    float largest = dit_row_largest(x, n), log_sum = (float)log(dit_row_exp_sum(x, largest, n));
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - largest) - log_sum;
}

static void columns(float *y, const float *x, const float *unused, int64_t n, int64_t stride, int64_t width)
{
    float largest[DIT_AXIS_COLUMNS], log_sum[DIT_AXIS_COLUMNS];
    double sum[DIT_AXIS_COLUMNS];
    (void)unused;
    for (int64_t c = 0; c < width; c++) {
        largest[c] = -INFINITY;
        sum[c] = 0;
    }
    for (int64_t r = 0; r < n; r++)
#pragma omp simd
        for (int64_t c = 0; c < width; c++)
            largest[c] = x[r * stride + c] > largest[c] ? x[r * stride + c] : largest[c];
    for (int64_t r = 0; r < n; r++)
#pragma omp simd
        for (int64_t c = 0; c < width; c++)
            sum[c] += (double)vexp(x[r * stride + c] - largest[c]);
    for (int64_t c = 0; c < width; c++)
        log_sum[c] = (float)log(sum[c]);
    for (int64_t r = 0; r < n; r++)
#pragma omp simd
        for (int64_t c = 0; c < width; c++)
            y[r * stride + c] = (x[r * stride + c] - largest[c]) - log_sum[c];
}

static void run(const dit_op_call *call)
{
    static const dit_along_axis loops = {row, columns};
    dit_run_along_axis(call, ((const struct dit_log_softmax_attributes *)call->attributes)->axis, 4, &loops);
}

DIT_KERNEL(log_softmax) = {.run = run, .layout = DIT_DENSE, .in_place = 1};
