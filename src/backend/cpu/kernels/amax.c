// backend/cpu/kernels/amax.c: the largest value over some axes; NaN where there is one.
#include "backend/cpu/isa.h"
#include "backend/cpu/reduce.h"
#include <math.h>

// NaN when either is.
static inline float larger(float a, float b)
{
    return ((a > b) | (a != a)) ? a : b;
}

static void put(double *total, float value)
{
    *total = value > *total || isnan(value) ? (double)value : *total;
}

enum { LANES = 64 };

static void row(double *total, const char *x, int64_t stride, int64_t n)
{
    int64_t i = 0;
    float lane[LANES];
    if (stride == sizeof(float) && n >= LANES) {
        const float *dense = (const float *)(const void *)x;
        for (int k = 0; k < LANES; k++)
            lane[k] = dense[k];
        for (i = LANES; i + LANES <= n; i += LANES)
#pragma omp simd
            for (int k = 0; k < LANES; k++)
                lane[k] = larger(lane[k], dense[i + k]);
        for (int k = 0; k < LANES; k++)
            put(total, lane[k]);
    }
    for (; i < n; i++)
        put(total, *(const float *)(const void *)(x + i * stride));
}

static void columns(double *total, const char *x, int64_t stride, int64_t n, int64_t width)
{
    float largest[DIT_REDUCE_COLUMNS];
    for (int64_t c = 0; c < width; c++)
        largest[c] = -INFINITY;
    for (int64_t r = 0; r < n; r++) {
        const float *from = (const float *)(const void *)(x + r * stride);
#pragma omp simd
        for (int64_t c = 0; c < width; c++)
            largest[c] = larger(from[c], largest[c]);
    }
    for (int64_t c = 0; c < width; c++)
        put(&total[c], largest[c]);
}

static void merge(double *total, const double *part, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        total[i] = part[i] > total[i] || isnan(part[i]) ? part[i] : total[i];
}

static const dit_reduction reduction = {-INFINITY, row, columns, merge};

static size_t workspace(const dit_op_call *call)
{
    return dit_reduce_workspace(call, ((const struct dit_amax_attributes *)call->attributes)->axes);
}

static void run(const dit_op_call *call)
{
    dit_reduce_run(call, ((const struct dit_amax_attributes *)call->attributes)->axes, &reduction, 1);
}

DIT_KERNEL(amax) = {.run = run, .workspace = workspace, .layout = DIT_ANY_STRIDES};
