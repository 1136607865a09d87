// graph/ops/amax.c: the largest value over some axes, which hold at least one; a NaN gives NaN.
//   x: (...) f32, f16, bf16     axes: bit i reduces axis i     y: dtype of x, without these axes, or with 1 there
//   (keep)
#include "graph/reduction.h"
#include <math.h>

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_amax_attributes *a = call->attributes;
    dit_status status = dit_shape_reduction("amax", a->axes, a->keep, call, error);
    if (!status && dit_reduced_count(&call->in[0].shape, a->axes) == 0)
        return dit_fail(error, DIT_BAD_ARGUMENT, "amax: there is no largest of no values");
    return status;
}

// Equal largest values share the gradient, as in torch.
static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_amax_attributes *a = c->attributes;
    const dit_shape x = *dit_shape_of(g, c->in[0]);
    dit_tensor largest = dit_cast(g, dit_equal(g, c->in[0], dit_expand_reduced(g, c->out[0], &x, a->axes)), DIT_F32);
    dit_tensor share = dit_div(g, c->dout[0], dit_sum(g, largest, a->axes, a->keep));
    c->din[0] = dit_mul(g, largest, dit_expand_reduced(g, share, &x, a->axes));
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_amax_attributes *a = call->attributes;
    const dit_shape *x = &call->in[0].shape, y = dit_reduced_shape(x, a->axes), *shapes[] = {&y};
    dit_walk walk = dit_walk_start(x, 1, shapes);
    for (int64_t i = 0, n = dit_shape_count(&y); i < n; i++)
        out[0][i] = -INFINITY;
    for (int64_t i = 0, n = dit_shape_count(x); i < n; i++, dit_walk_next(&walk)) {
        double *largest = &out[0][walk.offset[0]];
        if (in[0][i] > *largest || isnan(in[0][i]))
            *largest = in[0][i];
    }
}

const dit_op dit_op_amax = {
    .name = "amax",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_amax_attributes),
};

dit_tensor dit_amax(dit_graph *g, dit_tensor x, unsigned axes, bool keep)
{
    struct dit_amax_attributes a = {.axes = axes, .keep = keep};
    return dit_apply(g, DIT_OP_amax, &x, 1, &a);
}
