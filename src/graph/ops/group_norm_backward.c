// graph/ops/group_norm_backward.c: with n = (x - mean) * r, r = 1 / sqrt(variance + eps) and h = dy * weight:
//   dx = r * (h - mean(h) - n * mean(h * n)), means over a group; dweight = sum(dy * n), dbias = sum(dy), over all but
//   C. dy, x: (B, C, ...) f32, f16, bf16     weight: (C), may be absent     groups, eps: those of group_norm dx: (B, C,
//   ...) dtype of dy     dweight, dbias: (C) f32, given when there is a weight     No gradient of its own.
#include "graph/normalization.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_group_norm_backward_attributes *a = call->attributes;
    const dit_shape *dy = &call->in[0].shape;
    dit_status status = dit_check_like("group_norm_backward", "x", &call->in[1], &call->in[0], error);
    if (!status)
        status = dit_shape_along_axis("group_norm_backward", 1, call, error);
    if (status)
        return status;
    if (a->groups < 1 || dy->dim[1] % a->groups)
        return dit_fail(error, DIT_BAD_ARGUMENT, "group_norm_backward: %lld channels do not make %d groups",
                        (long long)dy->dim[1], a->groups);
    call->outputs = dit_is_absent(&call->in[2]) ? 1 : 3;
    for (int k = 1; k < call->outputs; k++)
        dit_set_output(call, k, DIT_F32, DIT_SHAPE(dy->dim[1]));
    return dit_check_vector("group_norm_backward", "weight", &call->in[2], dy->dim[1], error);
}

// One group of n values in channels of `inner`, the first of them being channel c0.
static void backward_of_group(const double *dy, const double *x, const double *weight, int64_t c0, int64_t n,
                              int64_t inner, double eps, double *dx, double *dweight, double *dbias)
{
    dit_moments m = dit_moments_of(x, n, eps, false);
    double mean_h = 0, mean_hn = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t c = c0 + i / inner;
        double normal = (x[i] - m.mean) * m.scale, h = dy[i] * (weight ? weight[c] : 1);
        mean_h += h / (double)n;
        mean_hn += h * normal / (double)n;
        if (weight) {
            dweight[c] += dy[i] * normal;
            dbias[c] += dy[i];
        }
    }
    for (int64_t i = 0; i < n; i++) {
        double normal = (x[i] - m.mean) * m.scale, h = dy[i] * (weight ? weight[c0 + i / inner] : 1);
        dx[i] = m.scale * (h - mean_h - normal * mean_hn);
    }
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_group_norm_backward_attributes *a = call->attributes;
    dit_axis_cut cut = dit_cut_at_axis(&call->in[0].shape, 1);
    double *dweight = in[2] ? out[1] : NULL, *dbias = in[2] ? out[2] : NULL;
    int64_t channels = cut.n / a->groups, n = channels * cut.inner;
    for (int64_t c = 0; c < cut.n && in[2]; c++)
        dweight[c] = dbias[c] = 0;
    for (int64_t r = 0; r < cut.outer * a->groups; r++)
        backward_of_group(in[0] + r * n, in[1] + r * n, in[2], r % a->groups * channels, n, cut.inner, (double)a->eps,
                          out[0] + r * n, dweight, dbias);
}

const dit_op dit_op_group_norm_backward = {
    .name = "group_norm_backward",
    .shape = shape,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_group_norm_backward_attributes),
};

dit_tensor dit_group_norm_backward(dit_graph *g, dit_tensor dy, dit_tensor x, dit_tensor weight, int groups, float eps)
{
    struct dit_group_norm_backward_attributes a = {.groups = groups, .eps = eps};
    return dit_apply(g, DIT_OP_group_norm_backward, (dit_tensor[]){dy, x, weight}, 3, &a);
}
