// backend/cpu/kernels/group_norm.c: y = (x - mean) / sqrt(variance + eps) * weight + bias, x: (B, C, ...), statistics
// over the channels of a group and all positions, and an activation. One pass for the statistics, one for the result.
#include "backend/cpu/finish.h"
#include "backend/cpu/group_row.h"
#include "backend/cpu/nest.h"

VEC_INLINE void channel(dit_activation activation, float *y, const float *x, float mean, float scale, float shift,
                        int64_t n)
{
    for (int64_t i = 0; i < n; i += DIT_LANES) {
        vec v = n - i >= DIT_LANES ? vec_load(x + i) : vec_load_part(x + i, 0, n - i);
        v = finish_activated(activation, (v - mean) * scale + shift);
        if (n - i >= DIT_LANES)
            vec_store(y + i, v);
        else
            vec_store_part(y + i, v, n - i);
    }
}

static void any_channel(dit_activation activation, float *y, const float *x, float mean, float scale, float shift,
                        int64_t n)
{
    switch (activation) {
#define CASE(activation)                                                                                               \
    case activation:                                                                                                   \
        channel(activation, y, x, mean, scale, shift, n);                                                              \
        break;
        CASE(DIT_NO_ACTIVATION)
        CASE(DIT_SILU)
        CASE(DIT_GELU_TANH)
        CASE(DIT_GELU_ERF)
        CASE(DIT_RELU)
#undef CASE
    }
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
            any_channel(a->activation, y + at, x + at, m.mean, weight ? m.scale * weight[c] : m.scale,
                        bias ? bias[c] : 0, inner);
        }
    }
}

DIT_KERNEL(group_norm) = {.run = run, .layout = DIT_DENSE, .in_place = 1};
