// graph/ops/gather.c: y[i][j][k] = x[i][index[i][j][k]][k] for axis 1, and likewise for the others. torch.gather.
//   x: any dtype, rank >= 1     index: i32 or i64, rank of x, no longer than x along the other axes, clamped to the
//   axis y: shape of index, dtype of x
// Backward: gather_backward adds dy up where it came from; where index is shorter than x, the rest is zero.
#include "graph/ops/rules.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_gather_attributes *a = call->attributes;
    dit_status status = dit_rule_present(call, "gather", 2, error);
    if (status || (status = dit_rule_ids(call, "gather", 1, error)))
        return status;
    const dit_shape *x = &call->in[0].shape, *index = &call->in[1].shape;
    char s[160], t[160];
    bool fits = a->axis >= 0 && a->axis < x->rank && index->rank == x->rank;
    for (int i = 0; fits && i < x->rank; i++)
        fits = i == a->axis ? x->dim[i] >= 1 : index->dim[i] <= x->dim[i];
    if (!fits)
        return dit_fail(error, DIT_BAD_ARGUMENT, "gather: index %s does not fit x %s along axis %d",
                        dit_shape_text(index, s), dit_shape_text(x, t), a->axis);
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = *index;
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_gather_attributes *a = c->attributes;
    dit_shape x = *dit_shape_of(g, c->in[0]), index = *dit_shape_of(g, c->in[1]);
    dit_tensor d = dit_gather_backward(g, c->dout[0], c->in[1], x.dim[a->axis], a->axis);
    int64_t none[DIT_MAX_RANK] = {0}, rest[DIT_MAX_RANK] = {0};
    bool shorter = false;
    for (int i = 0; i < x.rank; i++)
        if (i != a->axis && index.dim[i] < x.dim[i]) {
            rest[i] = x.dim[i] - index.dim[i];
            shorter = true;
        }
    c->din[0] = shorter ? dit_pad(g, d, none, rest, DIT_PAD_VALUE, 0) : d;
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_gather_attributes *a = call->attributes;
    const dit_shape *x = &call->in[0].shape, *index = &call->in[1].shape;
    int64_t count = dit_shape_count(index);
    for (int64_t n = 0; n < count; n++) {
        int64_t rest = n, from = 0, step = 1;
        for (int i = x->rank - 1; i >= 0; i--) {
            from += step * (i == a->axis ? dit_clamped_id(in[1][n], x->dim[i]) : rest % index->dim[i]);
            rest /= index->dim[i];
            step *= x->dim[i];
        }
        out[0][n] = in[0][from];
    }
}

const dit_op dit_op_gather = {
    .name = "gather",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_gather_attributes),
};

// A negative axis counts from the end.
dit_tensor dit_gather(dit_graph *g, dit_tensor x, dit_tensor index, int axis)
{
    struct dit_gather_attributes a = {.axis = dit_axis_from_front(axis, dit_shape_of(g, x)->rank)};
    return dit_apply(g, DIT_OP_gather, (dit_tensor[]){x, index}, 2, &a);
}
