// backend/cpu/kernels/group_norm_backward.c: with n = (x - mean) * r and h = dy * weight, means over a group:
// dx = r * (h - mean(h) - n * mean(h * n)), dweight = sum(dy * n), dbias = sum(dy).
//
// Two sums for each channel of each picture, of dy and of dy * n, give everything else.
#include "backend/cpu/group_row.h"
#include "backend/cpu/nest.h"

struct sums {
    double dy, dyn;
};

static size_t workspace(const dit_op_call *call)
{
    const dit_shape *s = &call->in[0].shape;
    return (size_t)(s->dim[0] * s->dim[1]) * sizeof(struct sums);
}

static void channel(float *dx, const float *dy, const float *x, dit_row_moments m, float weight, float mean_h,
                    float mean_hn, int64_t n)
{
    float factor = m.scale * mean_hn;
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        dx[i] = m.scale * (dy[i] * weight - mean_h - (x[i] - m.mean) * factor);
}

// One group: its channels' sums, then dx. `weight` (or NULL) and `sums` are those of the group's channels.
static void backward_of_group(float *dx, const float *dy, const float *x, const float *weight, struct sums *sums,
                              int64_t channels, int64_t inner, float eps)
{
    dit_row_moments m = dit_group_moments(x, channels * inner, eps);
    double mean_h = 0, mean_hn = 0, count = (double)(channels * inner);
    for (int64_t c = 0; c < channels; c++) {
        const float *dy_c = dy + c * inner, *x_c = x + c * inner;
        sums[c] = (struct sums){0, 0};
        for (int64_t i = 0; i < inner; i += DIT_RUN) { // both sums of a run while it is in the cache
            int64_t n = inner - i < DIT_RUN ? inner - i : DIT_RUN;
            sums[c].dy += dit_sum_of_row(dy_c + i, dy_c + i, 0, n);
            sums[c].dyn += dit_sum_of_products(x_c + i, dy_c + i, m.mean, n) * (double)m.scale;
        }
        mean_h += sums[c].dy * (weight ? (double)weight[c] : 1) / count;
        mean_hn += sums[c].dyn * (weight ? (double)weight[c] : 1) / count;
    }
    for (int64_t c = 0; c < channels; c++)
        channel(dx + c * inner, dy + c * inner, x + c * inner, m, weight ? weight[c] : 1, (float)mean_h, (float)mean_hn,
                inner);
}

static void run(const dit_op_call *call)
{
    const struct dit_group_norm_backward_attributes *a = call->attributes;
    const dit_shape *s = &call->in[0].shape;
    const float *dy = call->in[0].data, *x = call->in[1].data;
    const float *weight = dit_floats_or_null(&call->in[2]);
    float *dx = call->out[0].data;
    struct sums *sums = call->workspace; // [B][C]
    int64_t B = s->dim[0], C = s->dim[1], count = dit_shape_count(s), channels = C / a->groups;
    int64_t inner = count ? count / (B * C) : 0, n = channels * inner, groups = count ? count / n : 0;
#pragma omp parallel for schedule(static) if (count >= DIT_PARALLEL_WORK)
    for (int64_t g = 0; g < groups; g++)
        backward_of_group(dx + g * n, dy + g * n, x + g * n, weight ? weight + g % a->groups * channels : NULL,
                          sums + g * channels, channels, inner, a->eps);
    for (int64_t c = 0; c < C && call->outputs > 1; c++) {
        double dweight = 0, dbias = 0;
        for (int64_t b = 0; b < B && count; b++) {
            dweight += sums[b * C + c].dyn;
            dbias += sums[b * C + c].dy;
        }
        ((float *)call->out[1].data)[c] = (float)dweight;
        ((float *)call->out[2].data)[c] = (float)dbias;
    }
}

DIT_KERNEL(group_norm_backward) = {.run = run, .workspace = workspace, .layout = DIT_DENSE, .in_place = 3};
