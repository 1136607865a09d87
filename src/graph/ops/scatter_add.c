// graph/ops/scatter_add.c: rows added into a table of zeros: y[ids[i]] += rows[i]. The gradient of embedding.
// The sum of a row is taken in the order of i, whatever the number of threads.
//   rows: (..., C) float     ids: (...) i32 or i64, clamped to 0 ..= count - 1     y: (count, C), dtype of rows
// Backward: drows = embedding(dy, ids); ids have none.
#include "graph/ops/rules.h"
#include <string.h>

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_scatter_add_attributes *a = call->attributes;
    dit_status status = dit_rule_present(call, "scatter_add", 2, error);
    if (status || (status = dit_rule_float(call, "scatter_add", 0, error)) ||
        (status = dit_rule_ids(call, "scatter_add", 1, error)))
        return status;
    dit_shape leading = call->in[0].shape;
    char rows[160], ids[160];
    leading.rank--;
    if (leading.rank < 0 || !dit_shape_equal(&leading, &call->in[1].shape))
        return dit_fail(error, DIT_BAD_ARGUMENT, "scatter_add: ids %s do not name the rows of %s",
                        dit_shape_text(&call->in[1].shape, ids), dit_shape_text(&call->in[0].shape, rows));
    if (a->count < 1)
        return dit_fail(error, DIT_BAD_ARGUMENT, "scatter_add: a table of %lld rows is asked for", (long long)a->count);
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = DIT_SHAPE(a->count, call->in[0].shape.dim[leading.rank]);
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    c->din[0] = dit_embedding(g, c->dout[0], c->in[1]);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    int64_t V = call->out[0].shape.dim[0], C = call->out[0].shape.dim[1], count = dit_shape_count(&call->in[1].shape);
    memset(out[0], 0, (size_t)(V * C) * sizeof(double));
    for (int64_t i = 0; i < count; i++)
        for (int64_t c = 0; c < C; c++)
            out[0][dit_clamped_id(in[1][i], V) * C + c] += in[0][i * C + c];
}

const dit_op dit_op_scatter_add = {
    .name = "scatter_add",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_scatter_add_attributes),
};

dit_tensor dit_scatter_add(dit_graph *g, dit_tensor rows, dit_tensor ids, int64_t count)
{
    struct dit_scatter_add_attributes a = {.count = count};
    return dit_apply(g, DIT_OP_scatter_add, (dit_tensor[]){rows, ids}, 2, &a);
}
