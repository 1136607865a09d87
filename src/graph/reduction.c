// graph/reduction.c: what the reductions (sum, mean, amax) share.
#include "graph/reduction.h"

dit_shape dit_reduced_shape(const dit_shape *x, unsigned axes)
{
    dit_shape y = *x;
    for (int i = 0; i < y.rank; i++)
        if (axes >> i & 1)
            y.dim[i] = 1;
    return y;
}

dit_status dit_shape_reduction(const char *op, unsigned axes, bool keep, dit_op_call *call, dit_error *error)
{
    const dit_view *x = &call->in[0];
    if (!dit_dtype_is_float(x->dtype))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: needs a float tensor and is given %s; cast it first", op,
                        dit_is_absent(x) ? "nothing" : dit_dtype_name(x->dtype));
    if (axes >> x->shape.rank)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: axes %#x of a tensor of rank %d", op, axes, x->shape.rank);
    dit_shape y = dit_reduced_shape(&x->shape, axes);
    if (!keep) {
        y.rank = 0;
        for (int i = 0; i < x->shape.rank; i++)
            if (!(axes >> i & 1))
                y.dim[y.rank++] = x->shape.dim[i];
    }
    call->out[0].dtype = x->dtype;
    call->out[0].shape = y;
    return DIT_OK;
}

int64_t dit_reduced_count(const dit_shape *x, unsigned axes)
{
    int64_t count = 1;
    for (int i = 0; i < x->rank; i++)
        if (axes >> i & 1)
            count *= x->dim[i];
    return count;
}

dit_tensor dit_expand_reduced(dit_graph *g, dit_tensor y, const dit_shape *x, unsigned axes)
{
    const dit_shape whole = *x;
    dit_shape kept = dit_reduced_shape(&whole, axes);
    return dit_expand(g, dit_reshape(g, y, kept), whole);
}
