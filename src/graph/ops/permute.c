// graph/ops/permute.c: the axes in another order. numpy.transpose.
//   x: any dtype, (d0, ..., dn)     order: a permutation of the axes     y: axis i of y is axis order[i] of x
// Backward: dx = dy under the inverse permutation.
#include "graph/ops/rules.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_permute_attributes *a = call->attributes;
    const dit_view *x = &call->in[0];
    unsigned seen = 0;
    dit_status status = dit_rule_present(call, "permute", 1, error);
    if (status)
        return status;
    call->out[0].dtype = x->dtype;
    call->out[0].shape = x->shape;
    for (int i = 0; i < x->shape.rank; i++) {
        int axis = a->order[i];
        char text[160];
        if (axis < 0 || axis >= x->shape.rank || seen & 1u << axis)
            return dit_fail(error, DIT_BAD_ARGUMENT,
                            "permute: axis %d at place %d; the order of %s must name each of its %d axes once", axis, i,
                            dit_shape_text(&x->shape, text), x->shape.rank);
        seen |= 1u << axis;
        call->out[0].shape.dim[i] = x->shape.dim[axis];
    }
    return DIT_OK;
}

static bool view(const dit_op_call *call, int64_t *stride, int64_t *offset)
{
    const struct dit_permute_attributes *a = call->attributes;
    for (int i = 0; i < call->in[0].shape.rank; i++)
        stride[i] = call->in[0].stride[a->order[i]];
    *offset = 0;
    return true;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_permute_attributes *a = c->attributes;
    int inverse[DIT_MAX_RANK] = {0};
    for (int i = 0; i < dit_shape_of(g, c->in[0])->rank; i++)
        inverse[a->order[i]] = i;
    c->din[0] = dit_permute(g, c->dout[0], inverse);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_permute_attributes *a = call->attributes;
    const dit_shape *x = &call->in[0].shape, *y = &call->out[0].shape;
    int64_t count = dit_shape_count(y);
    for (int64_t n = 0; n < count; n++) {
        int64_t index[DIT_MAX_RANK], rest = n, from = 0;
        for (int i = y->rank - 1; i >= 0; i--) {
            index[a->order[i]] = rest % y->dim[i];
            rest /= y->dim[i];
        }
        for (int i = 0; i < x->rank; i++)
            from = from * x->dim[i] + index[i];
        out[0][n] = in[0][from];
    }
}

const dit_op dit_op_permute = {
    .name = "permute",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .view = view,
    .attribute_bytes = sizeof(struct dit_permute_attributes),
};

// `order` holds one axis for each axis of x.
dit_tensor dit_permute(dit_graph *g, dit_tensor x, const int *order)
{
    struct dit_permute_attributes a = {{0}};
    for (int i = 0; i < dit_shape_of(g, x)->rank; i++)
        a.order[i] = order[i];
    return dit_apply(g, DIT_OP_permute, &x, 1, &a);
}
