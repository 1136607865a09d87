// backend/cpu/kernels/layer_norm_backward.c: with n = (x - mean) * r and h = dy * weight:
// dx = r * (h - mean(h) - n * mean(h * n)), dweight = sum(dy * n), dbias = sum(dy).
#include "backend/cpu/norm_backward.h"
#include "backend/cpu/norm_row.h"

// The sums of h and of h * (x - mean), with h = dy * weight.
struct sums {
    double h, hx;
};

static struct sums sums_of(const float *dy, const float *x, const float *weight, float mean, int64_t C)
{
    struct sums sums = {0, 0};
    for (int64_t start = 0; start < C; start += 256) {
        int64_t end = C - start < 256 ? C : start + 256;
        float sum_h = 0, sum_hx = 0;
#pragma omp simd reduction(+ : sum_h, sum_hx)
        for (int64_t i = start; i < end; i++) {
            float h = dy[i] * weight[i];
            sum_h += h;
            sum_hx += h * (x[i] - mean);
        }
        sums.h += (double)sum_h;
        sums.hx += (double)sum_hx;
    }
    return sums;
}

static void with_weight(float *dx, const float *dy, const float *x, dit_row_moments m, const dit_norm_part *part)
{
    int64_t C = part->C;
    const float *weight = part->weight;
    float *dweight = part->dweight, *dbias = part->dbias;
    struct sums sums = sums_of(dy, x, weight, m.mean, C);
    float mean_h = (float)(sums.h / (double)C), mean_hn = (float)(sums.hx * (double)m.scale / (double)C);
#pragma omp simd
    for (int64_t i = 0; i < C; i++) {
        float d = dy[i], n = (x[i] - m.mean) * m.scale;
        dweight[i] += d * n;
        dbias[i] += d;
        dx[i] = m.scale * (d * weight[i] - mean_h - n * mean_hn);
    }
}

static void without_weight(float *dx, const float *dy, const float *x, dit_row_moments m, int64_t C)
{
    float mean_h = (float)(dit_sum_of_row(dy, dy, 0, C) / (double)C);
    float mean_hn = (float)(dit_sum_of_products(x, dy, m.mean, C) * (double)m.scale / (double)C);
#pragma omp simd
    for (int64_t i = 0; i < C; i++)
        dx[i] = m.scale * (dy[i] - mean_h - (x[i] - m.mean) * m.scale * mean_hn);
}

static void rows(const dit_row *row, const void *context)
{
    const dit_norm_part *part = context;
    const struct dit_layer_norm_backward_attributes *a = part->call->attributes;
    for (int64_t r = 0; r < row->n; r++) {
        float *dx = (float *)(void *)(row->at[0] + r * row->stride[0]);
        const float *dy = (const float *)(void *)(row->at[1] + r * row->stride[1]);
        const float *x = (const float *)(void *)(row->at[2] + r * row->stride[2]);
        dit_row_moments m = dit_layer_moments(x, part->C, a->eps);
        if (part->weight)
            with_weight(dx, dy, x, m, part);
        else
            without_weight(dx, dy, x, m, part->C);
    }
}

static void run(const dit_op_call *call)
{
    dit_norm_backward_run(call, rows);
}

DIT_KERNEL(layer_norm_backward) = {
    .run = run, .workspace = dit_norm_backward_workspace, .layout = DIT_ROWS, .in_place = 3};
