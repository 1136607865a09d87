// graph/ops/rms_norm.c: y = x / sqrt(mean(x^2) + eps) * weight, over the last axis.
// Zhang and Sennrich 2019 (arXiv 1910.07467), equation 4.
//   x: (..., C) f32, f16, bf16     weight: (C), may be absent     eps: >= 0     y: like x
#include "graph/ops.h"
#include <math.h>

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const dit_view *x = &call->in[0], *weight = &call->in[1];
    if (x->shape.rank < 1)
        return dit_fail(error, DIT_BAD_ARGUMENT, "rms_norm: x is a scalar; it needs an axis to normalise over");
    if (!dit_is_absent(weight) &&
        (weight->shape.rank != 1 || weight->shape.dim[0] != x->shape.dim[x->shape.rank - 1])) {
        char a[160], b[160];
        return dit_fail(error, DIT_BAD_ARGUMENT, "rms_norm: weight %s does not fit x %s",
                        dit_shape_text(&weight->shape, a), dit_shape_text(&x->shape, b));
    }
    return dit_shape_like_float(call, error);
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_rms_norm_attributes *a = c->attributes;
    c->din[0] = dit_rms_norm_backward(g, c->dout[0], c->in[0], c->in[1], a->eps);
    if (!dit_is_none(c->in[1]))
        c->din[1] = dit_sibling(g, c->din[0], 1);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_rms_norm_attributes *a = call->attributes;
    const dit_shape *s = &call->in[0].shape;
    int64_t C = s->dim[s->rank - 1], rows = C ? dit_shape_count(s) / C : 0;
    for (int64_t r = 0; r < rows; r++) {
        const double *x = in[0] + r * C;
        double squares = 0;
        for (int64_t c = 0; c < C; c++)
            squares += x[c] * x[c];
        double scale = 1 / sqrt(squares / (double)C + (double)a->eps);
        for (int64_t c = 0; c < C; c++)
            out[0][r * C + c] = x[c] * scale * (in[1] ? in[1][c] : 1);
    }
}

const dit_op dit_op_rms_norm = {
    .name = "rms_norm",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_rms_norm_attributes),
};

dit_tensor dit_rms_norm(dit_graph *g, dit_tensor x, dit_tensor weight, float eps)
{
    struct dit_rms_norm_attributes a = {.eps = eps};
    return dit_apply(g, DIT_OP_rms_norm, (dit_tensor[]){x, weight}, 2, &a);
}
