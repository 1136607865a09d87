// graph/ops/mean.c: the mean over some axes; of nothing, NaN.
//   x: (...) f32, f16, bf16     axes: bit i reduces axis i     y: dtype of x, without these axes, or with 1 there
//   (keep)
#include "graph/reduction.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_mean_attributes *a = call->attributes;
    return dit_shape_reduction("mean", a->axes, a->keep, call, error);
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_mean_attributes *a = c->attributes;
    const dit_shape x = *dit_shape_of(g, c->in[0]);
    dit_tensor dy = dit_affine(g, c->dout[0], 1 / (float)dit_reduced_count(&x, a->axes), 0);
    c->din[0] = dit_expand_reduced(g, dy, &x, a->axes);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_mean_attributes *a = call->attributes;
    const dit_shape *x = &call->in[0].shape, y = dit_reduced_shape(x, a->axes), *shapes[] = {&y};
    dit_walk walk = dit_walk_start(x, 1, shapes);
    for (int64_t i = 0, n = dit_shape_count(&y); i < n; i++)
        out[0][i] = 0;
    for (int64_t i = 0, n = dit_shape_count(x); i < n; i++, dit_walk_next(&walk))
        out[0][walk.offset[0]] += in[0][i];
    for (int64_t i = 0, n = dit_shape_count(&y); i < n; i++)
        out[0][i] /= (double)dit_reduced_count(x, a->axes);
}

const dit_op dit_op_mean = {
    .name = "mean",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_mean_attributes),
};

dit_tensor dit_mean(dit_graph *g, dit_tensor x, unsigned axes, bool keep)
{
    struct dit_mean_attributes a = {.axes = axes, .keep = keep};
    return dit_apply(g, DIT_OP_mean, &x, 1, &a);
}
