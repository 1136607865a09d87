// graph/ops/concat.c: tensors laid end to end along one axis. numpy.concatenate.
//   parts: one or more, of one dtype (any), alike in every extent but that of the axis     y: the extents added up
// Backward: each part takes its slice of dy.
#include "graph/ops/rules.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_concat_attributes *a = call->attributes;
    const dit_view *first = &call->in[0];
    char text[160], other[160];
    if (call->inputs < 1)
        return dit_fail(error, DIT_BAD_ARGUMENT, "concat: there is nothing to join");
    dit_status status = dit_rule_present(call, "concat", call->inputs, error);
    if (status)
        return status;
    if (a->axis < 0 || a->axis >= first->shape.rank)
        return dit_fail(error, DIT_BAD_ARGUMENT, "concat: %s has no axis %d", dit_shape_text(&first->shape, text),
                        a->axis);
    dit_shape y = first->shape;
    y.dim[a->axis] = 0;
    for (int p = 0; p < call->inputs; p++) {
        const dit_view *part = &call->in[p];
        dit_shape apart = part->shape; // with the axis as in y
        if (apart.rank == y.rank)
            apart.dim[a->axis] = y.dim[a->axis];
        if (part->dtype != first->dtype || !dit_shape_equal(&apart, &y))
            return dit_fail(error, DIT_BAD_ARGUMENT,
                            "concat: part %d, %s %s, does not fit part 0, %s %s, along axis %d", p,
                            dit_dtype_name(part->dtype), dit_shape_text(&part->shape, text),
                            dit_dtype_name(first->dtype), dit_shape_text(&first->shape, other), a->axis);
        if (__builtin_add_overflow(y.dim[a->axis], part->shape.dim[a->axis], &y.dim[a->axis]))
            return dit_fail(error, DIT_NO_MEMORY, "concat: the parts together are larger than any memory");
    }
    call->out[0].dtype = first->dtype;
    call->out[0].shape = y;
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_concat_attributes *a = c->attributes;
    int64_t start = 0;
    for (int p = 0; p < c->inputs; p++) {
        int64_t extent = dit_extent(g, c->in[p], a->axis);
        if (c->wanted[p])
            c->din[p] = dit_slice(g, c->dout[0], a->axis, start, extent, 1);
        start += extent;
    }
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_concat_attributes *a = call->attributes;
    dit_split_shape y = dit_split_at(&call->out[0].shape, a->axis);
    for (int64_t o = 0, start = 0; o < y.outer; o++, start = 0)
        for (int p = 0; p < call->inputs; p++) {
            int64_t extent = call->in[p].shape.dim[a->axis];
            for (int64_t i = 0; i < extent; i++, start++)
                for (int64_t n = 0; n < y.inner; n++)
                    out[0][(o * y.extent + start) * y.inner + n] = in[p][(o * extent + i) * y.inner + n];
        }
}

const dit_op dit_op_concat = {
    .name = "concat",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_concat_attributes),
};

// A negative axis counts from the end.
dit_tensor dit_concat(dit_graph *g, const dit_tensor *parts, int count, int axis)
{
    int rank = count > 0 ? dit_shape_of(g, parts[0])->rank : 0;
    struct dit_concat_attributes a = {.axis = dit_axis_from_front(axis, rank)};
    return dit_apply(g, DIT_OP_concat, parts, count, &a);
}
