// backend/cpu/kernels/log_softmax_backward.c: dx = dy - exp(y) * sum(dy) along an axis.
#include "backend/cpu/along_axis.h"
#include "backend/cpu/row_sums.h"
#include "backend/cpu/vmath.h"

static void row(float *dx, const float *dy, const float *y, int64_t n)
{
    float sum = (float)dit_sum_of_row(dy, dy, 0, n);
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        dx[i] = dy[i] - vexp(y[i]) * sum;
}

static void columns(float *dx, const float *dy, const float *y, int64_t n, int64_t stride, int64_t width)
{
    double sum[DIT_AXIS_COLUMNS] = {0};
    for (int64_t r = 0; r < n; r++)
#pragma omp simd
        for (int64_t c = 0; c < width; c++)
            sum[c] += (double)dy[r * stride + c];
    for (int64_t r = 0; r < n; r++)
#pragma omp simd
        for (int64_t c = 0; c < width; c++)
            dx[r * stride + c] = dy[r * stride + c] - vexp(y[r * stride + c]) * (float)sum[c];
}

static void run(const dit_op_call *call)
{
    static const dit_along_axis loops = {row, columns};
    dit_run_along_axis(call, ((const struct dit_log_softmax_backward_attributes *)call->attributes)->axis, 4, &loops);
}

DIT_KERNEL(log_softmax_backward) = {.run = run, .layout = DIT_DENSE, .in_place = 3};
