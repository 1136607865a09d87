// graph/normalization.c: what the definitions of the norms and softmaxes share.
#include "graph/normalization.h"

dit_status dit_check_vector(const char *op, const char *name, const dit_view *v, int64_t C, dit_error *error)
{
    if (dit_is_absent(v) || (dit_dtype_is_float(v->dtype) && v->shape.rank == 1 && v->shape.dim[0] == C))
        return DIT_OK;
    char s[160];
    return dit_fail(error, DIT_BAD_ARGUMENT, "%s: %s is %s %s; it must be a float tensor (%lld)", op, name,
                    dit_dtype_name(v->dtype), dit_shape_text(&v->shape, s), (long long)C);
}

dit_status dit_check_like(const char *op, const char *name, const dit_view *v, const dit_view *x, dit_error *error)
{
    if (dit_dtype_is_float(v->dtype) && dit_shape_equal(&v->shape, &x->shape))
        return DIT_OK;
    char s[160], t[160];
    return dit_fail(error, DIT_BAD_ARGUMENT, "%s: %s is %s %s; it must be a float tensor %s", op, name,
                    dit_is_absent(v) ? "absent" : dit_dtype_name(v->dtype), dit_shape_text(&v->shape, s),
                    dit_shape_text(&x->shape, t));
}

void dit_set_output(dit_op_call *call, int k, dit_dtype dtype, dit_shape shape)
{
    call->out[k].dtype = dtype;
    call->out[k].shape = shape;
}

dit_status dit_shape_along_axis(const char *op, int axis, dit_op_call *call, dit_error *error)
{
    const dit_view *x = &call->in[0];
    if (!dit_dtype_is_float(x->dtype))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: needs a float tensor and is given %s; cast it first", op,
                        dit_is_absent(x) ? "nothing" : dit_dtype_name(x->dtype));
    if (dit_axis_from_front(axis, x->shape.rank) < 0)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: axis %d of a tensor of rank %d", op, axis, x->shape.rank);
    dit_set_output(call, 0, x->dtype, x->shape);
    return DIT_OK;
}

dit_status dit_shape_along_axis_backward(const char *op, int axis, dit_op_call *call, dit_error *error)
{
    dit_status status = dit_check_like(op, "y", &call->in[1], &call->in[0], error);
    return status ? status : dit_shape_along_axis(op, axis, call, error);
}

dit_axis_cut dit_cut_at_axis(const dit_shape *shape, int axis)
{
    int at = dit_axis_from_front(axis, shape->rank);
    dit_axis_cut cut = {1, shape->dim[at], 1};
    for (int i = 0; i < at; i++)
        cut.outer *= shape->dim[i];
    for (int i = at + 1; i < shape->rank; i++)
        cut.inner *= shape->dim[i];
    return cut;
}

dit_moments dit_moments_of(const double *x, int64_t n, double eps, bool rms)
{
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < n && !rms; i++)
        mean += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    return (dit_moments){mean, 1 / sqrt(squares / (double)n + eps)};
}
