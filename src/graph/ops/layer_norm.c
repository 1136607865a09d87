// graph/ops/layer_norm.c: y = (x - mean) / sqrt(variance + eps) * weight + bias, over the last axis.
// Ba, Kiros and Hinton 2016 (arXiv 1607.06450), equation 4; the variance is the biased one.
//   x: (..., C) f32, f16, bf16     weight, bias: (C) float, either may be absent     eps: >= 0     y: like x
#include "graph/normalization.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    dit_status status = dit_shape_along_axis("layer_norm", -1, call, error);
    if (status)
        return status;
    int64_t C = call->in[0].shape.dim[call->in[0].shape.rank - 1];
    status = dit_check_vector("layer_norm", "weight", &call->in[1], C, error);
    return status ? status : dit_check_vector("layer_norm", "bias", &call->in[2], C, error);
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_layer_norm_attributes *a = c->attributes;
    c->din[0] = dit_layer_norm_backward(g, c->dout[0], c->in[0], c->in[1], a->eps);
    if (!dit_is_none(c->in[1])) {
        c->din[1] = dit_sibling(g, c->din[0], 1);
        c->din[2] = dit_sibling(g, c->din[0], 2);
    } else if (c->wanted[2]) {
        const dit_shape bias = *dit_shape_of(g, c->in[2]);
        c->din[2] = dit_sum_to(g, c->dout[0], &bias);
    }
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_layer_norm_attributes *a = call->attributes;
    dit_axis_cut cut = dit_cut_at_axis(&call->in[0].shape, -1);
    for (int64_t r = 0; r < cut.outer; r++) {
        const double *x = in[0] + r * cut.n;
        dit_moments m = dit_moments_of(x, cut.n, (double)a->eps, false);
        for (int64_t c = 0; c < cut.n; c++)
            out[0][r * cut.n + c] = (x[c] - m.mean) * m.scale * (in[1] ? in[1][c] : 1) + (in[2] ? in[2][c] : 0);
    }
}

const dit_op dit_op_layer_norm = {
    .name = "layer_norm",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_layer_norm_attributes),
};

dit_tensor dit_layer_norm(dit_graph *g, dit_tensor x, dit_tensor weight, dit_tensor bias, float eps)
{
    struct dit_layer_norm_attributes a = {.eps = eps};
    return dit_apply(g, DIT_OP_layer_norm, (dit_tensor[]){x, weight, bias}, 3, &a);
}
