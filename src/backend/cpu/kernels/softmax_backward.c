// backend/cpu/kernels/softmax_backward.c: dx = y * (dy - sum(dy * y)) along an axis.
#include "backend/cpu/along_axis.h"
#include "backend/cpu/row_sums.h"

static void row(float *dx, const float *dy, const float *y, int64_t n)
{
    float sum = (float)dit_sum_of_products(dy, y, 0, n);
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        dx[i] = y[i] * (dy[i] - sum);
}

static void columns(float *dx, const float *dy, const float *y, int64_t n, int64_t stride, int64_t width)
{
    double sum[DIT_AXIS_COLUMNS] = {0};
    for (int64_t r = 0; r < n; r++)
#pragma omp simd
        for (int64_t c = 0; c < width; c++)
            sum[c] += (double)dy[r * stride + c] * (double)y[r * stride + c];
    for (int64_t r = 0; r < n; r++)
#pragma omp simd
        for (int64_t c = 0; c < width; c++)
            dx[r * stride + c] = y[r * stride + c] * (dy[r * stride + c] - (float)sum[c]);
}

static void run(const dit_op_call *call)
{
    static const dit_along_axis loops = {row, columns};
    dit_run_along_axis(call, ((const struct dit_softmax_backward_attributes *)call->attributes)->axis, 1, &loops);
}

DIT_KERNEL(softmax_backward) = {.run = run, .layout = DIT_DENSE, .in_place = 3};
