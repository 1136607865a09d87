// graph/ops/reshape.c: the same elements in row-major order under another shape. numpy.reshape.
//   x: any dtype and shape     shape: as many elements as x; the builder works out one extent given as -1     y: shape
// Backward: dx = dy reshaped to the shape of x.
#include "graph/ops/rules.h"
#include <string.h>

// The number of elements, or -1 when an extent is negative or the count overflows.
static int64_t checked_count(const dit_shape *s)
{
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++)
        if (s->dim[i] < 0 || __builtin_mul_overflow(n, s->dim[i], &n))
            return -1;
    return n;
}

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_reshape_attributes *a = call->attributes;
    const dit_view *x = &call->in[0];
    dit_status status = dit_rule_present(call, "reshape", 1, error);
    if (status || (status = dit_rule_sane("reshape", &a->shape, error)))
        return status;
    if (checked_count(&a->shape) != dit_shape_count(&x->shape)) {
        char from[160], to[160];
        return dit_fail(error, DIT_BAD_ARGUMENT, "reshape: %s does not have the elements of %s",
                        dit_shape_text(&a->shape, to), dit_shape_text(&x->shape, from));
    }
    call->out[0].dtype = x->dtype;
    call->out[0].shape = a->shape;
    return DIT_OK;
}

// Axes of x that lie one behind the other in memory are one long axis, which may be split anywhere. Groups of x axes
// and of y axes with equal element counts are matched from the front; a group of x that memory cannot merge has no
// view.
static bool view(const dit_op_call *call, int64_t *stride, int64_t *offset)
{
    const dit_view *in = &call->in[0];
    const dit_shape *y = &call->out[0].shape;
    *offset = 0;
    for (int i = 0; i < y->rank; i++)
        stride[i] = 1; // right for axes of extent 1, and never read when there are no elements
    if (dit_shape_count(y) == 0)
        return true;

    int64_t extent[DIT_MAX_RANK], step[DIT_MAX_RANK]; // the axes of x whose extent is not 1
    int axes = 0;
    for (int i = 0; i < in->shape.rank; i++)
        if (in->shape.dim[i] != 1) {
            extent[axes] = in->shape.dim[i];
            step[axes++] = in->stride[i];
        }

    for (int from = 0, to = 0; from < axes;) {
        int from_end = from + 1, to_end = to + 1;
        int64_t have = extent[from], want = y->dim[to];
        while (have != want)
            if (have < want)
                have *= extent[from_end++];
            else
                want *= y->dim[to_end++];
        for (int i = from; i + 1 < from_end; i++)
            if (step[i] != step[i + 1] * extent[i + 1])
                return false;
        stride[to_end - 1] = step[from_end - 1];
        for (int i = to_end - 1; i > to; i--)
            stride[i - 1] = stride[i] * y->dim[i];
        from = from_end;
        to = to_end;
    }
    return true;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    c->din[0] = dit_reshape(g, c->dout[0], *dit_shape_of(g, c->in[0]));
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    memcpy(out[0], in[0], (size_t)dit_shape_count(&call->in[0].shape) * sizeof(double));
}

const dit_op dit_op_reshape = {
    .name = "reshape",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .view = view,
    .attribute_bytes = sizeof(struct dit_reshape_attributes),
};

dit_tensor dit_reshape(dit_graph *g, dit_tensor x, dit_shape to)
{
    struct dit_reshape_attributes a = {.shape = to};
    int open = -1;
    dit_shape rest = to;
    for (int i = 0; i < to.rank && i < DIT_MAX_RANK; i++)
        if (to.dim[i] == -1 && open < 0) {
            open = i;
            rest.dim[i] = 1;
        }
    if (open >= 0 && to.rank <= DIT_MAX_RANK) {
        int64_t known = checked_count(&rest), count = dit_shape_count(dit_shape_of(g, x));
        if (known > 0 && count % known == 0)
            a.shape.dim[open] = count / known; // otherwise the shape rule refuses the -1
    }
    return dit_apply(g, DIT_OP_reshape, &x, 1, &a);
}
