// graph/ops/clamp.c: y = min(max(x, low), high); a NaN stays one.
//   x: (...) f32, f16, bf16     low <= high, infinite where there is no bound     y: like x
// Backward: dy where low <= x <= high, as in torch.
#include "graph/elementwise.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_clamp_attributes *a = call->attributes;
    if (!(a->low <= a->high))
        return dit_fail(error, DIT_BAD_ARGUMENT, "clamp: the bounds %g and %g leave nothing", (double)a->low,
                        (double)a->high);
    return dit_shape_unary("clamp", call, error);
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_clamp_attributes *a = c->attributes;
    dit_tensor zero = dit_scalar(g, 0);
    dit_tensor below = dit_less(g, c->in[0], dit_scalar(g, a->low));
    dit_tensor above = dit_less(g, dit_scalar(g, a->high), c->in[0]);
    c->din[0] = dit_where(g, below, zero, dit_where(g, above, zero, c->dout[0]));
}

static double clamped(double x, const struct dit_clamp_attributes *a)
{
    return x < (double)a->low ? (double)a->low : x > (double)a->high ? (double)a->high : x;
}

DIT_REFERENCE_UNARY(clamped(x, call->attributes))

const dit_op dit_op_clamp = {
    .name = "clamp",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_clamp_attributes),
};

dit_tensor dit_clamp(dit_graph *g, dit_tensor x, float low, float high)
{
    struct dit_clamp_attributes a = {.low = low, .high = high};
    return dit_apply(g, DIT_OP_clamp, &x, 1, &a);
}
