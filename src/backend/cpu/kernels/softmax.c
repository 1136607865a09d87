// backend/cpu/kernels/softmax.c: y = exp(x) / sum(exp(x)) along an axis.
#include "backend/cpu/along_axis.h"
#include "backend/cpu/softmax_row.h"

static void row(float *y, const float *x, const float *unused, int64_t n)
{
    (void)unused;
    float scale = (float)(1 / dit_row_exp(y, x, dit_row_largest(x, n), n));
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] *= scale;
}

static void columns(float *y, const float *x, const float *unused, int64_t n, int64_t stride, int64_t width)
{
    float largest[DIT_AXIS_COLUMNS], scale[DIT_AXIS_COLUMNS];
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
        for (int64_t c = 0; c < width; c++) {
            float e = vexp(x[r * stride + c] - largest[c]);
            y[r * stride + c] = e;
            sum[c] += (double)e;
        }
    for (int64_t c = 0; c < width; c++)
        scale[c] = (float)(1 / sum[c]);
    for (int64_t r = 0; r < n; r++)
#pragma omp simd
        for (int64_t c = 0; c < width; c++)
            y[r * stride + c] *= scale[c];
}

static void run(const dit_op_call *call)
{
    static const dit_along_axis loops = {row, columns};
    dit_run_along_axis(call, ((const struct dit_softmax_attributes *)call->attributes)->axis, 4, &loops);
}

DIT_KERNEL(softmax) = {.run = run, .layout = DIT_DENSE, .in_place = 1};
