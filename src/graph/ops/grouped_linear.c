// graph/ops/grouped_linear.c: a linear layer for the rows of one group: y[r] = x[r] @ weight^T where groups[r] = group,
// and others[r], or zeros, in the other rows. A chain of them, each the next one's `others`, is a layer with a weight
// for each group, and costs what its rows cost.
//   x: (R, K) float     weight: (N, K) float     groups: (R) i32 or i64, ascending, 0 ..= count - 1
//   others: (R, N) float, may be absent     y: (R, N), dtype of x
// Backward, over the rows of the group: dx = dy @ weight (zeros in the other rows), dweight = dy^T @ x; dothers = dy
// with zeros in the group's rows.
#include "graph/ops/rules.h"
#include <string.h>

enum { X, WEIGHT, GROUPS, OTHERS };

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_grouped_linear_attributes *a = call->attributes;
    dit_status status = dit_rule_float(call, "grouped_linear", X, error);
    if (status || (status = dit_rule_float(call, "grouped_linear", WEIGHT, error)) ||
        (status = dit_rule_ids(call, "grouped_linear", GROUPS, error)))
        return status;
    const dit_shape *x = &call->in[X].shape, *weight = &call->in[WEIGHT].shape, *groups = &call->in[GROUPS].shape;
    char s[160], t[160];
    if (x->rank != 2 || weight->rank != 2 || x->dim[1] != weight->dim[1] ||
        !dit_shape_equal(groups, &DIT_SHAPE(x->dim[0])))
        return dit_fail(error, DIT_BAD_ARGUMENT, "grouped_linear: x %s does not fit weight %s, or its groups",
                        dit_shape_text(x, s), dit_shape_text(weight, t));
    if (a->group < 0 || a->group >= a->count)
        return dit_fail(error, DIT_BAD_ARGUMENT, "grouped_linear: group %d of %d", a->group, a->count);
    dit_shape y = DIT_SHAPE(x->dim[0], weight->dim[0]);
    if (call->inputs > OTHERS && !dit_is_absent(&call->in[OTHERS]) &&
        ((status = dit_rule_float(call, "grouped_linear", OTHERS, error)) ||
         !dit_shape_equal(&call->in[OTHERS].shape, &y)))
        return status ? status
                      : dit_fail(error, DIT_BAD_ARGUMENT, "grouped_linear: the other rows are %s; y is %s",
                                 dit_shape_text(&call->in[OTHERS].shape, s), dit_shape_text(&y, t));
    call->out[0].dtype = call->in[X].dtype;
    call->out[0].shape = y;
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_grouped_linear_attributes *a = c->attributes;
    dit_tensor dy = c->dout[0], groups = c->in[GROUPS];
    if (c->wanted[X])
        c->din[X] =
            dit_grouped_linear(g, dy, dit_transpose(g, c->in[WEIGHT], 0, 1), groups, DIT_NONE, a->group, a->count);
    if (c->wanted[WEIGHT])
        c->din[WEIGHT] = dit_grouped_linear_backward_weight(g, dy, c->in[X], groups, a->group, a->count);
    if (c->inputs > OTHERS && c->wanted[OTHERS]) {
        const int64_t group = a->group;
        dit_tensor own =
            dit_equal(g, dit_cast(g, groups, DIT_I64), dit_constant(g, DIT_I64, DIT_SCALAR, &group)); // (R)
        dit_tensor zero = dit_cast(g, dit_scalar(g, 0), dit_dtype_of(g, dy));
        c->din[OTHERS] = dit_where(g, dit_reshape(g, own, DIT_SHAPE(dit_extent(g, dy, 0), 1)), zero, dy);
    }
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_grouped_linear_attributes *a = call->attributes;
    int64_t R = call->in[X].shape.dim[0], K = call->in[X].shape.dim[1], N = call->in[WEIGHT].shape.dim[0];
    const double *others = call->inputs > OTHERS && !dit_is_absent(&call->in[OTHERS]) ? in[OTHERS] : NULL;
    for (int64_t r = 0; r < R; r++)
        for (int64_t n = 0; n < N; n++) {
            double sum = 0;
            for (int64_t k = 0; k < K; k++)
                sum += in[X][r * K + k] * in[WEIGHT][n * K + k];
            out[0][r * N + n] = in[GROUPS][r] == (double)a->group ? sum : others ? others[r * N + n] : 0;
        }
}

// Which rows are the group's shows when it runs: an even share is expected.
static double flops(const dit_op_call *call)
{
    const struct dit_grouped_linear_attributes *a = call->attributes;
    return 2.0 * (double)dit_shape_count(&call->out[0].shape) * (double)call->in[WEIGHT].shape.dim[1] / a->count;
}

const dit_op dit_op_grouped_linear = {
    .name = "grouped_linear",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .flops = flops,
    .attribute_bytes = sizeof(struct dit_grouped_linear_attributes),
};

dit_tensor dit_grouped_linear(dit_graph *g, dit_tensor x, dit_tensor weight, dit_tensor groups, dit_tensor others,
                              int group, int count)
{
    struct dit_grouped_linear_attributes a = {.group = group, .count = count};
    return dit_apply(g, DIT_OP_grouped_linear, (dit_tensor[]){x, weight, groups, others}, 4, &a);
}
