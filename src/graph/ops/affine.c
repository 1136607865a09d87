// graph/ops/affine.c: y = x * scale + shift, with two numbers known when the graph is described.
//   x: (...) f32, f16, bf16     y: like x
#include "graph/elementwise.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    return dit_shape_unary("affine", call, error);
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_affine_attributes *k = c->attributes;
    c->din[0] = dit_affine(g, c->dout[0], k->scale, 0);
}

#define FACTOR(member) ((double)((const struct dit_affine_attributes *)call->attributes)->member)
DIT_REFERENCE_UNARY(x *FACTOR(scale) + FACTOR(shift))

const dit_op dit_op_affine = {
    .name = "affine",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_affine_attributes),
};

dit_tensor dit_affine(dit_graph *g, dit_tensor x, float scale, float shift)
{
    struct dit_affine_attributes a = {.scale = scale, .shift = shift};
    return dit_apply(g, DIT_OP_affine, &x, 1, &a);
}
