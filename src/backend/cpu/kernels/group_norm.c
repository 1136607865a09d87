// backend/cpu/kernels/group_norm.c: y = (x - mean) / sqrt(variance + eps) * weight + bias, x: (B, C, ...), statistics
// over the channels of a group and all positions. One pass for the statistics, one for the result.
#include "backend/cpu/group_row.h"
#include "backend/cpu/nest.h"

static void channel(float *y, const float *x, float mean, float scale, float shift, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) * scale + shift;
}

static void run(const dit_op_call *call)
{
    const struct dit_group_norm_attributes *a = call->attributes;
    const dit_shape *s = &call->in[0].shape;
    const float *x = call->in[0].data;
    const float *weight = dit_floats_or_null(&call->in[1]), *bias = dit_floats_or_null(&call->in[2]);
    float *y = call->out[0].data;
    int64_t C = s->dim[1], count = dit_shape_count(s), channels = C / a->groups;
    int64_t inner = count ? count / (s->dim[0] * C) : 0, n = channels * inner, groups = count ? count / n : 0;
#pragma omp parallel for schedule(static) if (count >= DIT_PARALLEL_WORK)
    for (int64_t g = 0; g < groups; g++) {
        dit_row_moments m = dit_group_moments(x + g * n, n, a->eps);
        for (int64_t k = 0; k < channels; k++) {
            int64_t c = g % a->groups * channels + k, at = g * n + k * inner;
            channel(y + at, x + at, m.mean, weight ? m.scale * weight[c] : m.scale, bias ? bias[c] : 0, inner);
        }
    }
}

DIT_KERNEL(group_norm) = {.run = run, .layout = DIT_DENSE, .in_place = 1};
