// graph/elementwise.c: shape rules of the element-wise ops.
#include "graph/elementwise.h"

static const char *dtype_text(const dit_view *v)
{
    return dit_is_absent(v) ? "nothing" : dit_dtype_name(v->dtype);
}

dit_status dit_shape_unary(const char *op, dit_op_call *call, dit_error *error)
{
    if (!dit_dtype_is_float(call->in[0].dtype))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: needs a float tensor and is given %s; cast it first", op,
                        dtype_text(&call->in[0]));
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = call->in[0].shape;
    return DIT_OK;
}

// Both floats, or one dtype (not a float) that `allowed` (a mask of 1 << dtype) has.
static dit_status check_dtypes(const char *op, const dit_op_call *call, unsigned allowed, dit_error *error)
{
    const dit_view *a = &call->in[0], *b = &call->in[1];
    bool fits =
        dit_dtype_is_float(a->dtype) ? dit_dtype_is_float(b->dtype) : a->dtype == b->dtype && (allowed >> a->dtype & 1);
    if (!fits)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: cannot take %s and %s; cast one of them", op, dtype_text(a),
                        dtype_text(b));
    return DIT_OK;
}

dit_status dit_shape_arithmetic(const char *op, bool integers, dit_op_call *call, dit_error *error)
{
    dit_status status = check_dtypes(op, call, integers ? 1u << DIT_I32 | 1u << DIT_I64 : 0, error);
    if (status)
        return status;
    call->out[0].dtype = call->in[0].dtype;
    return dit_broadcast_shapes(op, &call->in[0].shape, &call->in[1].shape, &call->out[0].shape, error);
}

dit_status dit_shape_comparison(const char *op, dit_op_call *call, dit_error *error)
{
    unsigned allowed = 1u << DIT_I32 | 1u << DIT_I64 | 1u << DIT_U8 | 1u << DIT_BOOL;
    dit_status status = check_dtypes(op, call, allowed, error);
    if (status)
        return status;
    call->out[0].dtype = DIT_BOOL;
    return dit_broadcast_shapes(op, &call->in[0].shape, &call->in[1].shape, &call->out[0].shape, error);
}

dit_status dit_shape_activation_backward(const char *op, dit_op_call *call, dit_error *error)
{
    dit_status status = dit_shape_arithmetic(op, false, call, error);
    if (status)
        return status;
    if (!dit_shape_equal(&call->in[0].shape, &call->in[1].shape)) {
        char dy[160], x[160];
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: dy %s does not have the shape of x %s", op,
                        dit_shape_text(&call->in[0].shape, dy), dit_shape_text(&call->in[1].shape, x));
    }
    return DIT_OK;
}

void dit_give_gradient(dit_graph *g, const dit_gradient_call *c, int k, dit_tensor value)
{
    dit_shape shape = *dit_shape_of(g, c->in[k]); // a copy: describing more nodes may move the graph's values
    c->din[k] = dit_sum_to(g, value, &shape);
}

dit_tensor dit_in_f32(dit_graph *g, dit_tensor t)
{
    return dit_dtype_of(g, t) == DIT_F32 ? t : dit_cast(g, t, DIT_F32);
}
