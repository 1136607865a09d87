// graph/ops/grouped_linear_backward_weight.c: the gradient of grouped_linear's weight: dweight = dy^T @ x over the rows
// r where groups[r] = group.
//   dy: (R, N) float     x: (R, K) float     groups: (R) i32 or i64, ascending     dweight: (N, K), dtype of dy
#include "graph/ops/rules.h"
#include <string.h>

enum { DY, X, GROUPS };

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_grouped_linear_backward_weight_attributes *a = call->attributes;
    dit_status status = dit_rule_float(call, "grouped_linear_backward_weight", DY, error);
    if (status || (status = dit_rule_float(call, "grouped_linear_backward_weight", X, error)) ||
        (status = dit_rule_ids(call, "grouped_linear_backward_weight", GROUPS, error)))
        return status;
    const dit_shape *dy = &call->in[DY].shape, *x = &call->in[X].shape, *groups = &call->in[GROUPS].shape;
    char s[160], t[160];
    if (dy->rank != 2 || x->rank != 2 || dy->dim[0] != x->dim[0] || !dit_shape_equal(groups, &DIT_SHAPE(x->dim[0])) ||
        a->group < 0 || a->group >= a->count)
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "grouped_linear_backward_weight: dy %s, x %s and their groups do not fit, or group %d of %d",
                        dit_shape_text(dy, s), dit_shape_text(x, t), a->group, a->count);
    call->out[0].dtype = call->in[DY].dtype;
    call->out[0].shape = DIT_SHAPE(dy->dim[1], x->dim[1]);
    return DIT_OK;
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_grouped_linear_backward_weight_attributes *a = call->attributes;
    int64_t R = call->in[X].shape.dim[0], K = call->in[X].shape.dim[1], N = call->in[DY].shape.dim[1];
    memset(out[0], 0, (size_t)(N * K) * sizeof(double));
    for (int64_t r = 0; r < R; r++)
        for (int64_t n = 0; n < N && in[GROUPS][r] == (double)a->group; n++)
            for (int64_t k = 0; k < K; k++)
                out[0][n * K + k] += in[DY][r * N + n] * in[X][r * K + k];
}

static double flops(const dit_op_call *call)
{
    const struct dit_grouped_linear_backward_weight_attributes *a = call->attributes;
    return 2.0 * (double)dit_shape_count(&call->out[0].shape) * (double)call->in[X].shape.dim[0] / a->count;
}

const dit_op dit_op_grouped_linear_backward_weight = {
    .name = "grouped_linear_backward_weight",
    .shape = shape,
    .reference = reference,
    .flops = flops,
    .attribute_bytes = sizeof(struct dit_grouped_linear_backward_weight_attributes),
};

dit_tensor dit_grouped_linear_backward_weight(dit_graph *g, dit_tensor dy, dit_tensor x, dit_tensor groups, int group,
                                              int count)
{
    struct dit_grouped_linear_backward_weight_attributes a = {.group = group, .count = count};
    return dit_apply(g, DIT_OP_grouped_linear_backward_weight, (dit_tensor[]){dy, x, groups}, 3, &a);
}
