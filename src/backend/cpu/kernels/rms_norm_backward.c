// backend/cpu/kernels/rms_norm_backward.c: with n = x * r and h = dy * weight: dx = r * (h - n * mean(h * n)),
// dweight = sum(dy * n).
#include "backend/cpu/norm_backward.h"
#include "backend/cpu/norm_row.h"

// The sum of dy * weight * x.
static double sum_of(const float *dy, const float *x, const float *weight, int64_t C)
{
    double total = 0;
    for (int64_t start = 0; start < C; start += 256) {
        int64_t end = C - start < 256 ? C : start + 256;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = start; i < end; i++)
            sum += dy[i] * weight[i] * x[i];
        total += (double)sum;
    }
    return total;
}

static void with_weight(float *dx, const float *dy, const float *x, float scale, const dit_norm_part *part)
{
    const float *weight = part->weight;
    float *dweight = part->dweight;
    float mean_hn = (float)(sum_of(dy, x, weight, part->C) * (double)scale / (double)part->C);
#pragma omp simd
    for (int64_t i = 0; i < part->C; i++) {
        float d = dy[i], n = x[i] * scale;
        dweight[i] += d * n;
        dx[i] = scale * (d * weight[i] - n * mean_hn);
    }
}

static void without_weight(float *dx, const float *dy, const float *x, float scale, int64_t C)
{
    float mean_hn = (float)(dit_sum_of_products(x, dy, 0, C) * (double)scale / (double)C);
#pragma omp simd
    for (int64_t i = 0; i < C; i++)
        dx[i] = scale * (dy[i] - x[i] * scale * mean_hn);
}

static void rows(const dit_row *row, const void *context)
{
    const dit_norm_part *part = context;
    const struct dit_rms_norm_backward_attributes *a = part->call->attributes;
    for (int64_t r = 0; r < row->n; r++) {
        float *dx = (float *)(void *)(row->at[0] + r * row->stride[0]);
        const float *dy = (const float *)(void *)(row->at[1] + r * row->stride[1]);
        const float *x = (const float *)(void *)(row->at[2] + r * row->stride[2]);
        float scale = dit_rms_moments(x, part->C, a->eps).scale;
        if (part->weight)
            with_weight(dx, dy, x, scale, part);
        else
            without_weight(dx, dy, x, scale, part->C);
    }
}

static void run(const dit_op_call *call)
{
    dit_norm_backward_run(call, rows);
}

DIT_KERNEL(rms_norm_backward) = {
    .run = run, .workspace = dit_norm_backward_workspace, .layout = DIT_ROWS, .in_place = 3};
