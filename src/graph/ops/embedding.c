// graph/ops/embedding.c: rows of a table, chosen by id. torch.nn.functional.embedding.
//   table: (V, C) any dtype, V >= 1     ids: (...) i32 or i64, clamped to 0 ..= V - 1     y: (..., C), dtype of table
// Backward: dtable = scatter_add of the rows of dy; ids have none.
#include "graph/ops/rules.h"
#include <string.h>

static dit_status shape(dit_op_call *call, dit_error *error)
{
    dit_status status = dit_rule_present(call, "embedding", 2, error);
    if (status || (status = dit_rule_ids(call, "embedding", 1, error)))
        return status;
    const dit_shape *table = &call->in[0].shape, *ids = &call->in[1].shape;
    char a[160], b[160];
    if (table->rank != 2 || table->dim[0] < 1)
        return dit_fail(error, DIT_BAD_ARGUMENT, "embedding: the table is %s; it must be (V, C) with at least one row",
                        dit_shape_text(table, a));
    if (ids->rank >= DIT_MAX_RANK)
        return dit_fail(error, DIT_BAD_ARGUMENT, "embedding: ids %s of a table %s would give more than %d axes",
                        dit_shape_text(ids, a), dit_shape_text(table, b), DIT_MAX_RANK);
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = *ids;
    call->out[0].shape.dim[call->out[0].shape.rank++] = table->dim[1];
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    c->din[0] = dit_scatter_add(g, c->dout[0], c->in[1], dit_extent(g, c->in[0], 0));
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    int64_t V = call->in[0].shape.dim[0], C = call->in[0].shape.dim[1], count = dit_shape_count(&call->in[1].shape);
    for (int64_t i = 0; i < count; i++)
        memcpy(out[0] + i * C, in[0] + dit_clamped_id(in[1][i], V) * C, (size_t)C * sizeof(double));
}

const dit_op dit_op_embedding = {
    .name = "embedding",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
};

dit_tensor dit_embedding(dit_graph *g, dit_tensor table, dit_tensor ids)
{
    dit_input_indexes(g, ids, dit_extent(g, table, 0));
    return dit_apply(g, DIT_OP_embedding, (dit_tensor[]){table, ids}, 2, NULL);
}
