// graph/ops/resize_backward.c: dx of resize: every element of x gets dy in the proportions in which it was mixed.
//   dy: (..., H', W') float     x: the shape of resize's input     mode: as resize was given     dx: x
// Backward: resize.
#include "graph/ops/resize_rule.h"
#include <string.h>

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_resize_backward_attributes *a = call->attributes;
    dit_status status = dit_rule_float(call, "resize_backward", 0, error);
    if (status || (status = dit_resize_check("resize_backward", &a->x, &call->in[0].shape, a->mode, error)))
        return status;
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = a->x;
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_resize_backward_attributes *a = c->attributes;
    c->din[0] = dit_resize(g, c->dout[0], *dit_shape_of(g, c->in[0]), a->mode);
}

struct sums {
    const double *dy;
    double *dx;
};

static void add(void *context, int64_t x, int64_t y, double weight)
{
    struct sums *s = context;
    s->dx[x] += weight * s->dy[y];
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_resize_backward_attributes *a = call->attributes;
    memset(out[0], 0, (size_t)dit_shape_count(&a->x) * sizeof(double));
    dit_resize_walk(&a->x, &call->in[0].shape, a->mode, add, &(struct sums){in[0], out[0]});
}

const dit_op dit_op_resize_backward = {
    .name = "resize_backward",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_resize_backward_attributes),
};

dit_tensor dit_resize_backward(dit_graph *g, dit_tensor dy, dit_shape x, dit_resize_mode mode)
{
    struct dit_resize_backward_attributes a = {x, mode};
    return dit_apply(g, DIT_OP_resize_backward, &dy, 1, &a);
}
