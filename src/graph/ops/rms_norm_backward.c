// graph/ops/rms_norm_backward.c: with n = x * r, r = 1 / sqrt(mean(x^2) + eps) and h = dy * weight:
//   dx = r * (h - n * mean(h * n)), dweight = sum(dy * n), means over the last axis, sums over all others.
//   dy, x: (..., C) f32, f16, bf16     weight: (C), may be absent     eps: that of rms_norm
//   dx: (..., C) dtype of dy     dweight: (C) f32, given when there is a weight     No gradient of its own.
#include "graph/normalization.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    dit_status status = dit_check_like("rms_norm_backward", "x", &call->in[1], &call->in[0], error);
    if (!status)
        status = dit_shape_along_axis("rms_norm_backward", -1, call, error);
    if (status)
        return status;
    int64_t C = call->in[0].shape.dim[call->in[0].shape.rank - 1];
    call->outputs = dit_is_absent(&call->in[2]) ? 1 : 2;
    if (call->outputs > 1)
        dit_set_output(call, 1, DIT_F32, DIT_SHAPE(C));
    return dit_check_vector("rms_norm_backward", "weight", &call->in[2], C, error);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_rms_norm_backward_attributes *a = call->attributes;
    const double *weight = in[2];
    dit_axis_cut cut = dit_cut_at_axis(&call->in[0].shape, -1);
    for (int64_t c = 0; c < cut.n && weight; c++)
        out[1][c] = 0;
    for (int64_t r = 0; r < cut.outer; r++) {
        const double *dy = in[0] + r * cut.n, *x = in[1] + r * cut.n;
        double scale = dit_moments_of(x, cut.n, (double)a->eps, true).scale, mean_hn = 0;
        for (int64_t c = 0; c < cut.n; c++) {
            mean_hn += dy[c] * (weight ? weight[c] : 1) * x[c] * scale / (double)cut.n;
            if (weight)
                out[1][c] += dy[c] * x[c] * scale;
        }
        for (int64_t c = 0; c < cut.n; c++)
            out[0][r * cut.n + c] = scale * (dy[c] * (weight ? weight[c] : 1) - x[c] * scale * mean_hn);
    }
}

const dit_op dit_op_rms_norm_backward = {
    .name = "rms_norm_backward",
    .shape = shape,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_rms_norm_backward_attributes),
};

dit_tensor dit_rms_norm_backward(dit_graph *g, dit_tensor dy, dit_tensor x, dit_tensor weight, float eps)
{
    struct dit_rms_norm_backward_attributes a = {.eps = eps};
    return dit_apply(g, DIT_OP_rms_norm_backward, (dit_tensor[]){dy, x, weight}, 3, &a);
}
