// graph/ops/layer_norm_backward.c: with n = (x - mean) * r, r = 1 / sqrt(variance + eps) and h = dy * weight:
//   dx = r * (h - mean(h) - n * mean(h * n)), dweight = sum(dy * n), dbias = sum(dy), means over the last axis, sums
//   over all others. dy, x: (..., C) f32, f16, bf16     weight: (C), may be absent     eps: that of layer_norm dx:
//   (..., C) dtype of dy     dweight, dbias: (C) f32, given when there is a weight     No gradient of its own.
#include "graph/normalization.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    dit_status status = dit_check_like("layer_norm_backward", "x", &call->in[1], &call->in[0], error);
    if (!status)
        status = dit_shape_along_axis("layer_norm_backward", -1, call, error);
    if (status)
        return status;
    int64_t C = call->in[0].shape.dim[call->in[0].shape.rank - 1];
    call->outputs = dit_is_absent(&call->in[2]) ? 1 : 3;
    for (int k = 1; k < call->outputs; k++)
        dit_set_output(call, k, DIT_F32, DIT_SHAPE(C));
    return dit_check_vector("layer_norm_backward", "weight", &call->in[2], C, error);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_layer_norm_backward_attributes *a = call->attributes;
    const double *weight = in[2];
    dit_axis_cut cut = dit_cut_at_axis(&call->in[0].shape, -1);
    for (int64_t c = 0; c < cut.n && weight; c++)
        out[1][c] = out[2][c] = 0;
    for (int64_t r = 0; r < cut.outer; r++) {
        const double *dy = in[0] + r * cut.n, *x = in[1] + r * cut.n;
        dit_moments m = dit_moments_of(x, cut.n, (double)a->eps, false);
        double mean_h = 0, mean_hn = 0;
        for (int64_t c = 0; c < cut.n; c++) {
            double n = (x[c] - m.mean) * m.scale, h = dy[c] * (weight ? weight[c] : 1);
            mean_h += h / (double)cut.n;
            mean_hn += h * n / (double)cut.n;
            if (weight) {
                out[1][c] += dy[c] * n;
                out[2][c] += dy[c];
            }
        }
        for (int64_t c = 0; c < cut.n; c++) {
            double n = (x[c] - m.mean) * m.scale, h = dy[c] * (weight ? weight[c] : 1);
            out[0][r * cut.n + c] = m.scale * (h - mean_h - n * mean_hn);
        }
    }
}

const dit_op dit_op_layer_norm_backward = {
    .name = "layer_norm_backward",
    .shape = shape,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_layer_norm_backward_attributes),
};

dit_tensor dit_layer_norm_backward(dit_graph *g, dit_tensor dy, dit_tensor x, dit_tensor weight, float eps)
{
    struct dit_layer_norm_backward_attributes a = {.eps = eps};
    return dit_apply(g, DIT_OP_layer_norm_backward, (dit_tensor[]){dy, x, weight}, 3, &a);
}
