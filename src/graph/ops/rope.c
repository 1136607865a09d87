// graph/ops/rope.c: the features of each head turned, two by two, by the angles of its token's position.
// Su et al. 2021 (arXiv 2104.09864), equation 34. The rotation is done in f32 whatever the dtype of x.
//   x: (B, T, H, D) float, D even     table: (T, D/2, 2) or (B, T, D/2, 2) cosines and sines, from rope_table
//   interleaved: pairs (2i, 2i+1) (diffusers' use_real_unbind_dim -1), otherwise (i, i + D/2) (-2)
//   inverse: turns back     y: like x
// Backward: dy turned the other way; the table has no gradient.
#include "graph/ops/rope.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    dit_status status = dit_rope_check(call, "rope", 1, error);
    return status ? status : dit_shape_like_float(call, error);
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_rope_attributes *a = c->attributes;
    c->din[0] = dit_rope(g, c->dout[0], c->in[1], a->interleaved, !a->inverse);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_rope_attributes *a = call->attributes;
    const int64_t *n = call->in[0].shape.dim, D = n[3];
    for (int64_t b = 0, at = 0; b < n[0]; b++)
        for (int64_t t = 0; t < n[1]; t++)
            for (int64_t h = 0; h < n[2]; h++, at += D)
                dit_rope_turn(in[0] + at, in[1] + dit_rope_row(&call->in[1].shape, b, t), out[0] + at, D,
                              a->interleaved, a->inverse);
}

const dit_op dit_op_rope = {
    .name = "rope",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_rope_attributes),
};

dit_tensor dit_rope(dit_graph *g, dit_tensor x, dit_tensor table, bool interleaved, bool inverse)
{
    struct dit_rope_attributes a = {interleaved, inverse};
    return dit_apply(g, DIT_OP_rope, (dit_tensor[]){x, table}, 2, &a);
}
