// graph/ops/slice_backward.c: dx of slice: zeros of `whole` along the axis, with dx[start + i * step] = dy[i].
//   dy: any dtype, rank >= 1     dx: like dy, with `whole` along the axis
// Backward: the same slice of the incoming gradient.
#include "graph/ops/rules.h"
#include <string.h>

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_slice_backward_attributes *a = call->attributes;
    const dit_view *dy = &call->in[0];
    char text[160];
    dit_status status = dit_rule_present(call, "slice_backward", 1, error);
    if (status)
        return status;
    if (a->axis < 0 || a->axis >= dy->shape.rank)
        return dit_fail(error, DIT_BAD_ARGUMENT, "slice_backward: %s has no axis %d", dit_shape_text(&dy->shape, text),
                        a->axis);
    if (a->whole < 0 || !dit_rule_slice_fits(a->whole, a->start, dy->shape.dim[a->axis], a->step))
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "slice_backward: axis %d of %s, from %lld by steps of %lld, does not lie in an extent of %lld",
                        a->axis, dit_shape_text(&dy->shape, text), (long long)a->start, (long long)a->step,
                        (long long)a->whole);
    call->out[0].dtype = dy->dtype;
    call->out[0].shape = dy->shape;
    call->out[0].shape.dim[a->axis] = a->whole;
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_slice_backward_attributes *a = c->attributes;
    c->din[0] = dit_slice(g, c->dout[0], a->axis, a->start, dit_extent(g, c->in[0], a->axis), a->step);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_slice_backward_attributes *a = call->attributes;
    dit_split_shape s = dit_split_at(&call->in[0].shape, a->axis);
    const double *dy = in[0];
    memset(out[0], 0, (size_t)dit_shape_count(&call->out[0].shape) * sizeof(double));
    for (int64_t o = 0; o < s.outer; o++)
        for (int64_t i = 0; i < s.extent; i++)
            for (int64_t n = 0; n < s.inner; n++)
                out[0][(o * a->whole + a->start + i * a->step) * s.inner + n] = *dy++;
}

const dit_op dit_op_slice_backward = {
    .name = "slice_backward",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_slice_backward_attributes),
};

dit_tensor dit_slice_backward(dit_graph *g, dit_tensor dy, int64_t whole, int axis, int64_t start, int64_t step)
{
    struct dit_slice_backward_attributes a = {dit_axis_from_front(axis, dit_shape_of(g, dy)->rank), whole, start, step};
    return dit_apply(g, DIT_OP_slice_backward, &dy, 1, &a);
}
