// graph/ops/qk_norm_rope.c: y = rope(rms_norm(x, weight)), each head normalised over its features and then turned: what
// queries and keys go through. Fusion makes it of the two (see rms_norm.c, rope.c).
//   x: (B, T, H, D) float, D even     weight: (D), may be absent     eps: >= 0
//   table: (T, D/2, 2) or (B, T, D/2, 2) cosines and sines     y: like x
// Backward: dy turned back goes through the norm's gradient; the table has none.
#include "graph/ops/rope.h"
#include <math.h>

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_qk_norm_rope_attributes *a = call->attributes;
    dit_status status = dit_rope_check(call, "qk_norm_rope", 2, error);
    if (status)
        return status;
    const dit_view *weight = &call->in[1];
    if (!dit_is_absent(weight)) {
        char s[160], t[160];
        status = dit_rule_float(call, "qk_norm_rope", 1, error);
        if (!status && (weight->shape.rank != 1 || weight->shape.dim[0] != call->in[0].shape.dim[3]))
            status = dit_fail(error, DIT_BAD_ARGUMENT, "qk_norm_rope: weight %s does not fit x %s",
                              dit_shape_text(&weight->shape, s), dit_shape_text(&call->in[0].shape, t));
        if (status)
            return status;
    }
    if (!(a->eps >= 0))
        return dit_fail(error, DIT_BAD_ARGUMENT, "qk_norm_rope: eps is %g; it must not be negative", (double)a->eps);
    return dit_shape_like_float(call, error);
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_qk_norm_rope_attributes *a = c->attributes;
    dit_tensor turned = dit_rope(g, c->dout[0], c->in[2], a->interleaved, true);
    c->din[0] = dit_rms_norm_backward(g, turned, c->in[0], c->in[1], a->eps);
    if (!dit_is_none(c->in[1]))
        c->din[1] = dit_sibling(g, c->din[0], 1);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_qk_norm_rope_attributes *a = call->attributes;
    const int64_t *n = call->in[0].shape.dim, D = n[3];
    for (int64_t b = 0, at = 0; b < n[0]; b++)
        for (int64_t t = 0; t < n[1]; t++)
            for (int64_t h = 0; h < n[2]; h++, at += D) {
                double squares = 0;
                for (int64_t d = 0; d < D; d++)
                    squares += in[0][at + d] * in[0][at + d];
                double scale = 1 / sqrt(squares / (double)D + (double)a->eps);
                for (int64_t d = 0; d < D; d++)
                    out[0][at + d] = in[0][at + d] * scale * (in[1] ? in[1][d] : 1);
                dit_rope_turn(out[0] + at, in[2] + dit_rope_row(&call->in[2].shape, b, t), out[0] + at, D,
                              a->interleaved, false);
            }
}

const dit_op dit_op_qk_norm_rope = {
    .name = "qk_norm_rope",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_qk_norm_rope_attributes),
};

dit_tensor dit_qk_norm_rope(dit_graph *g, dit_tensor x, dit_tensor weight, dit_tensor table, float eps,
                            bool interleaved)
{
    struct dit_qk_norm_rope_attributes a = {.eps = eps, .interleaved = interleaved};
    return dit_apply(g, DIT_OP_qk_norm_rope, (dit_tensor[]){x, weight, table}, 3, &a);
}
