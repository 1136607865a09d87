// graph/ops/norm_modulate.c: y = norm(x) * (1 + scale) + shift, the norm over the last axis without weight and bias:
// the layer norm, or with `rms` the RMS norm. Peebles and Xie 2023 (arXiv 2212.09748), figure 3. Made by fusion.
//   x: (..., C) f32, f16, bf16     scale, shift: float, broadcast to x, (B, 1, C) as a rule     eps: >= 0     y: like x
#include "graph/elementwise.h"
#include "graph/normalization.h"

// Whether `v` broadcasts to x without making it larger.
static dit_status check_broadcast(const char *name, const dit_view *v, const dit_view *x, dit_error *error)
{
    dit_shape y;
    if (!dit_dtype_is_float(v->dtype))
        return dit_fail(error, DIT_BAD_ARGUMENT, "norm_modulate: %s must be a float tensor", name);
    dit_status status = dit_broadcast_shapes("norm_modulate", &x->shape, &v->shape, &y, error);
    if (!status && !dit_shape_equal(&x->shape, &y)) {
        char s[160], t[160];
        return dit_fail(error, DIT_BAD_ARGUMENT, "norm_modulate: %s %s is larger than x %s", name,
                        dit_shape_text(&v->shape, s), dit_shape_text(&x->shape, t));
    }
    return status;
}

static dit_status shape(dit_op_call *call, dit_error *error)
{
    dit_status status = dit_shape_along_axis("norm_modulate", -1, call, error);
    if (!status)
        status = check_broadcast("scale", &call->in[1], &call->in[0], error);
    return status ? status : check_broadcast("shift", &call->in[2], &call->in[0], error);
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_norm_modulate_attributes *a = c->attributes;
    dit_tensor x = c->in[0], dy = c->dout[0];
    if (c->wanted[0]) {
        dit_tensor dn = dit_mul(g, dy, dit_affine(g, dit_in_f32(g, c->in[1]), 1, 1));
        c->din[0] = a->rms ? dit_rms_norm_backward(g, dn, x, DIT_NONE, a->eps)
                           : dit_layer_norm_backward(g, dn, x, DIT_NONE, a->eps);
    }
    if (c->wanted[1]) {
        dit_tensor wide = dit_in_f32(g, x), n = a->rms ? dit_rms_norm(g, wide, DIT_NONE, a->eps)
                                                       : dit_layer_norm(g, wide, DIT_NONE, DIT_NONE, a->eps);
        dit_give_gradient(g, c, 1, dit_mul(g, dy, n));
    }
    if (c->wanted[2])
        dit_give_gradient(g, c, 2, dy);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_norm_modulate_attributes *a = call->attributes;
    const dit_shape *shapes[] = {&call->in[1].shape, &call->in[2].shape};
    dit_axis_cut cut = dit_cut_at_axis(&call->in[0].shape, -1);
    dit_walk walk = dit_walk_start(&call->in[0].shape, 2, shapes);
    for (int64_t r = 0; r < cut.outer; r++) {
        const double *x = in[0] + r * cut.n;
        dit_moments m = dit_moments_of(x, cut.n, (double)a->eps, a->rms);
        for (int64_t c = 0; c < cut.n; c++, dit_walk_next(&walk))
            out[0][r * cut.n + c] = (x[c] - m.mean) * m.scale * (1 + in[1][walk.offset[0]]) + in[2][walk.offset[1]];
    }
}

const dit_op dit_op_norm_modulate = {
    .name = "norm_modulate",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_norm_modulate_attributes),
};

dit_tensor dit_norm_modulate(dit_graph *g, dit_tensor x, dit_tensor scale, dit_tensor shift, float eps, bool rms)
{
    struct dit_norm_modulate_attributes a = {.eps = eps, .rms = rms};
    return dit_apply(g, DIT_OP_norm_modulate, (dit_tensor[]){x, scale, shift}, 3, &a);
}
