// graph/ops/gather_backward.c: zeros with dx[i][index[i][j][k]][k] += dy[i][j][k] for axis 1. torch.scatter_add.
// A sum is taken in the order of the axis, whatever the number of threads.
//   dy: float, rank >= 1     index: shape of dy, i32 or i64, clamped     dx: like dy, with `extent` along the axis
// Backward: ddy = gather of the incoming gradient; index has none.
#include "graph/ops/rules.h"
#include <string.h>

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_gather_backward_attributes *a = call->attributes;
    dit_status status = dit_rule_present(call, "gather_backward", 2, error);
    if (status || (status = dit_rule_float(call, "gather_backward", 0, error)) ||
        (status = dit_rule_ids(call, "gather_backward", 1, error)))
        return status;
    const dit_shape *dy = &call->in[0].shape, *index = &call->in[1].shape;
    char s[160], t[160];
    if (a->axis < 0 || a->axis >= dy->rank || a->extent < 1 || !dit_shape_equal(dy, index))
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "gather_backward: index %s does not fit dy %s along axis %d with an extent of %lld",
                        dit_shape_text(index, s), dit_shape_text(dy, t), a->axis, (long long)a->extent);
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = *dy;
    call->out[0].shape.dim[a->axis] = a->extent;
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_gather_backward_attributes *a = c->attributes;
    c->din[0] = dit_gather(g, c->dout[0], c->in[1], a->axis);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_gather_backward_attributes *a = call->attributes;
    dit_split_shape s = dit_split_at(&call->in[0].shape, a->axis);
    memset(out[0], 0, (size_t)dit_shape_count(&call->out[0].shape) * sizeof(double));
    for (int64_t o = 0, n = 0; o < s.outer; o++)
        for (int64_t i = 0; i < s.extent; i++)
            for (int64_t k = 0; k < s.inner; k++, n++)
                out[0][(o * a->extent + dit_clamped_id(in[1][n], a->extent)) * s.inner + k] += in[0][n];
}

const dit_op dit_op_gather_backward = {
    .name = "gather_backward",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_gather_backward_attributes),
};

dit_tensor dit_gather_backward(dit_graph *g, dit_tensor dy, dit_tensor index, int64_t extent, int axis)
{
    struct dit_gather_backward_attributes a = {extent, dit_axis_from_front(axis, dit_shape_of(g, dy)->rank)};
    return dit_apply(g, DIT_OP_gather_backward, (dit_tensor[]){dy, index}, 2, &a);
}
