// graph/ops/softmax.c: y = exp(x) / sum(exp(x)) along an axis, without overflow.
//   x: (...) f32, f16, bf16     axis: from the front, or negative from the end     y: like x
#include "graph/normalization.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_softmax_attributes *a = call->attributes;
    return dit_shape_along_axis("softmax", a->axis, call, error);
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_softmax_attributes *a = c->attributes;
    c->din[0] = dit_softmax_backward(g, c->dout[0], c->out[0], a->axis);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_softmax_attributes *a = call->attributes;
    dit_axis_cut cut = dit_cut_at_axis(&call->in[0].shape, a->axis);
    for (int64_t r = 0; r < cut.outer * cut.inner; r++) {
        int64_t first = r / cut.inner * cut.n * cut.inner + r % cut.inner;
        const double *x = in[0] + first;
        double *y = out[0] + first, largest = -INFINITY, sum = 0;
        for (int64_t i = 0; i < cut.n; i++)
            largest = fmax(largest, x[i * cut.inner]);
        for (int64_t i = 0; i < cut.n; i++)
            sum += exp(x[i * cut.inner] - largest);
        for (int64_t i = 0; i < cut.n; i++)
            y[i * cut.inner] = exp(x[i * cut.inner] - largest) / sum;
    }
}

const dit_op dit_op_softmax = {
    .name = "softmax",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_softmax_attributes),
};

dit_tensor dit_softmax(dit_graph *g, dit_tensor x, int axis)
{
    struct dit_softmax_attributes a = {.axis = axis};
    return dit_apply(g, DIT_OP_softmax, &x, 1, &a);
}
