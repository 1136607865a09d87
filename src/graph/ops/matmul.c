// graph/ops/matmul.c: y = a @ b over the last two axes.
//   a: (..., M, K) float     b: (..., K, N) float     y: (..., M, N), dtype of a; leading axes broadcast
// Backward: da = dy @ b^T, db = a^T @ dy, each summed over the axes that were broadcast.
#include "graph/ops/rules.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    dit_status status = dit_rule_present(call, "matmul", 2, error);
    if (status || (status = dit_rule_float(call, "matmul", 0, error)) ||
        (status = dit_rule_float(call, "matmul", 1, error)))
        return status;
    dit_shape a = call->in[0].shape, b = call->in[1].shape, *y = &call->out[0].shape;
    char s[160], t[160];
    if (a.rank < 2 || b.rank < 2 || a.dim[a.rank - 1] != b.dim[b.rank - 2])
        return dit_fail(error, DIT_BAD_ARGUMENT, "matmul: %s @ %s: shapes (..., M, K) and (..., K, N) are needed",
                        dit_shape_text(&a, s), dit_shape_text(&b, t));
    int64_t rows = a.dim[a.rank - 2], columns = b.dim[b.rank - 1];
    a.rank -= 2;
    b.rank -= 2;
    if ((status = dit_broadcast_shapes("matmul", &a, &b, y, error)))
        return status;
    y->dim[y->rank++] = rows;
    y->dim[y->rank++] = columns;
    call->out[0].dtype = call->in[0].dtype;
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    dit_shape a = *dit_shape_of(g, c->in[0]), b = *dit_shape_of(g, c->in[1]);
    dit_tensor dy = c->dout[0];
    if (c->wanted[0])
        c->din[0] = dit_sum_to(g, dit_matmul(g, dy, dit_transpose(g, c->in[1], -2, -1)), &a);
    if (!c->wanted[1])
        return;
    // One b for many a: the sum over them is part of the product.
    if (b.rank == 2 && a.rank > 2) {
        int64_t rows = 1;
        for (int i = 0; i < a.rank - 1; i++)
            rows *= a.dim[i];
        dit_tensor left = dit_reshape(g, c->in[0], DIT_SHAPE(rows, b.dim[0]));
        c->din[1] = dit_matmul(g, dit_transpose(g, left, 0, 1), dit_reshape(g, dy, DIT_SHAPE(rows, b.dim[1])));
    } else {
        c->din[1] = dit_sum_to(g, dit_matmul(g, dit_transpose(g, c->in[0], -2, -1), dy), &b);
    }
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    dit_shape a = call->in[0].shape, b = call->in[1].shape, y = call->out[0].shape;
    int64_t M = y.dim[y.rank - 2], N = y.dim[y.rank - 1], K = a.dim[a.rank - 1];
    if (dit_shape_count(&y) == 0)
        return;
    a.rank -= 2;
    b.rank -= 2;
    y.rank -= 2;
    dit_walk walk = dit_walk_start(&y, 3, (const dit_shape *[]){&a, &b, &y});
    do {
        const double *left = in[0] + walk.offset[0] * M * K, *right = in[1] + walk.offset[1] * K * N;
        double *to = out[0] + walk.offset[2] * M * N;
        for (int64_t m = 0; m < M; m++)
            for (int64_t n = 0; n < N; n++) {
                double sum = 0;
                for (int64_t k = 0; k < K; k++)
                    sum += left[m * K + k] * right[k * N + n];
                to[m * N + n] = sum;
            }
    } while (dit_walk_next(&walk));
}

static double flops(const dit_op_call *call)
{
    const dit_shape *a = &call->in[0].shape;
    return 2.0 * (double)dit_shape_count(&call->out[0].shape) * (double)a->dim[a->rank - 1];
}

const dit_op dit_op_matmul = {
    .name = "matmul",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .flops = flops,
};

dit_tensor dit_matmul(dit_graph *g, dit_tensor a, dit_tensor b)
{
    return dit_apply(g, DIT_OP_matmul, (dit_tensor[]){a, b}, 2, NULL);
}
