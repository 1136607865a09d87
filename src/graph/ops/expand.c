// graph/ops/expand.c: x broadcast to a shape, as numpy.broadcast_to does.
//   x: any dtype; aligned at the last axis, each extent is that of `shape` or 1     y: shape
// Backward: dx = dy summed over the axes that were repeated.
#include "graph/ops/rules.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_expand_attributes *a = call->attributes;
    const dit_view *x = &call->in[0];
    dit_status status = dit_rule_present(call, "expand", 1, error);
    if (status || (status = dit_rule_sane("expand", &a->shape, error)))
        return status;
    bool fits = a->shape.rank >= x->shape.rank;
    for (int i = 0; fits && i < a->shape.rank; i++) {
        int from = i - (a->shape.rank - x->shape.rank);
        int64_t extent = from < 0 ? 1 : x->shape.dim[from];
        fits = extent == 1 || extent == a->shape.dim[i];
    }
    if (!fits) {
        char from[160], to[160];
        return dit_fail(error, DIT_BAD_ARGUMENT, "expand: %s does not broadcast to %s", dit_shape_text(&x->shape, from),
                        dit_shape_text(&a->shape, to));
    }
    call->out[0].dtype = x->dtype;
    call->out[0].shape = a->shape;
    return DIT_OK;
}

static bool view(const dit_op_call *call, int64_t *stride, int64_t *offset)
{
    const dit_view *x = &call->in[0];
    const dit_shape *y = &call->out[0].shape;
    for (int i = 0; i < y->rank; i++) {
        int from = i - (y->rank - x->shape.rank);
        stride[i] = from < 0 || x->shape.dim[from] != y->dim[i] ? 0 : x->stride[from];
    }
    *offset = 0;
    return true;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    dit_shape x = *dit_shape_of(g, c->in[0]);
    c->din[0] = dit_sum_to(g, c->dout[0], &x);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const dit_shape *y = &call->out[0].shape;
    if (dit_shape_count(y) == 0)
        return;
    dit_walk walk = dit_walk_start(y, 1, (const dit_shape *const[]){&call->in[0].shape});
    int64_t n = 0;
    do
        out[0][n++] = in[0][walk.offset[0]];
    while (dit_walk_next(&walk));
}

const dit_op dit_op_expand = {
    .name = "expand",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .view = view,
    .attribute_bytes = sizeof(struct dit_expand_attributes),
};

dit_tensor dit_expand(dit_graph *g, dit_tensor x, dit_shape to)
{
    struct dit_expand_attributes a = {.shape = to};
    return dit_apply(g, DIT_OP_expand, &x, 1, &a);
}
