// graph/ops/slice.c: every step-th element of one axis: y[i] = x[start + i * step] along it, for i < extent.
//   x: any dtype, rank >= 1     start: in the axis     step: not 0; negative ones walk backwards     y: axis has
//   `extent`
// Backward: slice_backward puts dy back into zeros.
#include "graph/ops/rules.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_slice_attributes *a = call->attributes;
    const dit_view *x = &call->in[0];
    char text[160];
    dit_status status = dit_rule_present(call, "slice", 1, error);
    if (status)
        return status;
    if (a->axis < 0 || a->axis >= x->shape.rank)
        return dit_fail(error, DIT_BAD_ARGUMENT, "slice: %s has no axis %d", dit_shape_text(&x->shape, text), a->axis);
    if (!dit_rule_slice_fits(x->shape.dim[a->axis], a->start, a->extent, a->step))
        return dit_fail(
            error, DIT_BAD_ARGUMENT, "slice: %lld elements from %lld by steps of %lld do not lie in axis %d of %s",
            (long long)a->extent, (long long)a->start, (long long)a->step, a->axis, dit_shape_text(&x->shape, text));
    call->out[0].dtype = x->dtype;
    call->out[0].shape = x->shape;
    call->out[0].shape.dim[a->axis] = a->extent;
    return DIT_OK;
}

static bool view(const dit_op_call *call, int64_t *stride, int64_t *offset)
{
    const struct dit_slice_attributes *a = call->attributes;
    const dit_view *x = &call->in[0];
    for (int i = 0; i < x->shape.rank; i++)
        stride[i] = x->stride[i];
    stride[a->axis] *= a->step;
    *offset = a->extent ? a->start * x->stride[a->axis] : 0;
    return true;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_slice_attributes *a = c->attributes;
    c->din[0] = dit_slice_backward(g, c->dout[0], dit_extent(g, c->in[0], a->axis), a->axis, a->start, a->step);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_slice_attributes *a = call->attributes;
    dit_split_shape x = dit_split_at(&call->in[0].shape, a->axis);
    double *y = out[0];
    for (int64_t o = 0; o < x.outer; o++)
        for (int64_t i = 0; i < a->extent; i++)
            for (int64_t n = 0; n < x.inner; n++)
                *y++ = in[0][(o * x.extent + a->start + i * a->step) * x.inner + n];
}

const dit_op dit_op_slice = {
    .name = "slice",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .view = view,
    .attribute_bytes = sizeof(struct dit_slice_attributes),
};

// A negative axis counts from the end.
dit_tensor dit_slice(dit_graph *g, dit_tensor x, int axis, int64_t start, int64_t extent, int64_t step)
{
    struct dit_slice_attributes a = {dit_axis_from_front(axis, dit_shape_of(g, x)->rank), start, extent, step};
    return dit_apply(g, DIT_OP_slice, &x, 1, &a);
}
