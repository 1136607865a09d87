// graph/shorthand.c: what many ops share: broadcasting, shape rules, walks for the references.
#include "graph/ops.h"
#include <string.h>

dit_tensor dit_transpose(dit_graph *g, dit_tensor x, int axis_a, int axis_b)
{
    int rank = dit_shape_of(g, x)->rank, order[DIT_MAX_RANK];
    int a = dit_axis_from_front(axis_a, rank), b = dit_axis_from_front(axis_b, rank);
    if (a < 0 || b < 0) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "transpose: axes %d and %d of a tensor of rank %d", axis_a, axis_b, rank);
        return DIT_NONE;
    }
    for (int i = 0; i < rank; i++)
        order[i] = i == a ? b : i == b ? a : i;
    return dit_permute(g, x, order);
}

dit_tensor dit_sum_to(dit_graph *g, dit_tensor x, const dit_shape *shape)
{
    const dit_shape from = *dit_shape_of(g, x);
    if (dit_shape_equal(&from, shape))
        return x;
    unsigned axes = 0;
    for (int i = 0; i < from.rank; i++) {
        int j = i - (from.rank - shape->rank);
        if (j < 0 || (shape->dim[j] == 1 && from.dim[i] != 1))
            axes |= 1u << i;
    }
    if (axes)
        x = dit_sum(g, x, axes, true);
    return dit_reshape(g, x, *shape);
}

dit_status dit_broadcast_shapes(const char *op, const dit_shape *a, const dit_shape *b, dit_shape *y, dit_error *error)
{
    dit_shape r = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 1; i <= r.rank; i++) {
        int64_t m = i <= a->rank ? a->dim[a->rank - i] : 1, n = i <= b->rank ? b->dim[b->rank - i] : 1;
        if (m != n && m != 1 && n != 1) {
            char s[160], t[160];
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s: shapes %s and %s do not broadcast", op, dit_shape_text(a, s),
                            dit_shape_text(b, t));
        }
        r.dim[r.rank - i] = m == 1 ? n : m;
    }
    *y = r;
    return DIT_OK;
}

dit_status dit_shape_like_float(dit_op_call *call, dit_error *error)
{
    if (!dit_dtype_is_float(call->in[0].dtype))
        return dit_fail(error, DIT_BAD_ARGUMENT, "the op needs a float tensor and is given %s",
                        dit_is_absent(&call->in[0]) ? "none" : dit_dtype_name(call->in[0].dtype));
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = call->in[0].shape;
    return DIT_OK;
}

dit_status dit_shape_broadcast(dit_op_call *call, dit_error *error)
{
    if (dit_is_absent(&call->in[0]) || dit_is_absent(&call->in[1]))
        return dit_fail(error, DIT_BAD_ARGUMENT, "the op needs two tensors");
    call->out[0].dtype = call->in[0].dtype;
    return dit_broadcast_shapes("element-wise op", &call->in[0].shape, &call->in[1].shape, &call->out[0].shape, error);
}

int dit_axis_from_front(int axis, int rank)
{
    int i = axis < 0 ? axis + rank : axis;
    return i >= 0 && i < rank ? i : -1;
}

dit_walk dit_walk_start(const dit_shape *shape, int arrays, const dit_shape *const *shapes)
{
    dit_walk walk = {.shape = *shape, .arrays = arrays};
    for (int k = 0; k < arrays; k++) {
        int64_t step = 1;
        for (int i = 1; i <= shapes[k]->rank && i <= shape->rank; i++) {
            int64_t extent = shapes[k]->dim[shapes[k]->rank - i];
            walk.stride[k][shape->rank - i] = extent == 1 ? 0 : step;
            step *= extent;
        }
    }
    return walk;
}

bool dit_walk_next(dit_walk *walk)
{
    for (int i = walk->shape.rank - 1; i >= 0; i--) {
        walk->index[i]++;
        for (int k = 0; k < walk->arrays; k++)
            walk->offset[k] += walk->stride[k][i];
        if (walk->index[i] < walk->shape.dim[i])
            return true;
        for (int k = 0; k < walk->arrays; k++)
            walk->offset[k] -= walk->stride[k][i] * walk->shape.dim[i];
        walk->index[i] = 0;
    }
    return false;
}
