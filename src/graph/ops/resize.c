// graph/ops/resize.c: the last two axes at another size. torch.nn.functional.interpolate, without antialiasing.
//   x: (..., H, W) float     shape: that of y, which differs from x in the last two extents only
//   mode: DIT_NEAREST, DIT_BILINEAR (half-pixel centres), DIT_BILINEAR_CORNERS (align_corners)     y: shape
// Backward: resize_backward.
#include "graph/ops/resize_rule.h"
#include <string.h>

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_resize_attributes *a = call->attributes;
    dit_status status = dit_rule_float(call, "resize", 0, error);
    if (status || (status = dit_resize_check("resize", &call->in[0].shape, &a->shape, a->mode, error)))
        return status;
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = a->shape;
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_resize_attributes *a = c->attributes;
    c->din[0] = dit_resize_backward(g, c->dout[0], *dit_shape_of(g, c->in[0]), a->mode);
}

struct sums {
    const double *x;
    double *y;
};

static void add(void *context, int64_t x, int64_t y, double weight)
{
    struct sums *s = context;
    s->y[y] += weight * s->x[x];
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_resize_attributes *a = call->attributes;
    memset(out[0], 0, (size_t)dit_shape_count(&call->out[0].shape) * sizeof(double));
    dit_resize_walk(&call->in[0].shape, &call->out[0].shape, a->mode, add, &(struct sums){in[0], out[0]});
}

const dit_op dit_op_resize = {
    .name = "resize",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_resize_attributes),
};

dit_tensor dit_resize(dit_graph *g, dit_tensor x, dit_shape to, dit_resize_mode mode)
{
    struct dit_resize_attributes a = {to, mode};
    return dit_apply(g, DIT_OP_resize, &x, 1, &a);
}
