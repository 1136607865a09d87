// graph/ops/top_k.c: the k largest elements of the last axis, in descending order, and where they were. torch.topk.
// Of equal elements the one with the lower index comes first; a NaN is larger than every number.
//   x: (..., N) float     k: 1 ..= N     values: (..., k), dtype of x     indices: (..., k) i64
// Backward: dx is dvalues put back in its places; indices have none.
#include "graph/ops/rules.h"
#include <math.h>

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_top_k_attributes *a = call->attributes;
    dit_status status = dit_rule_float(call, "top_k", 0, error);
    if (status)
        return status;
    const dit_shape *x = &call->in[0].shape;
    char text[160];
    if (x->rank < 1 || a->k < 1 || a->k > x->dim[x->rank - 1])
        return dit_fail(error, DIT_BAD_ARGUMENT, "top_k: %s has no %d largest elements along its last axis",
                        dit_shape_text(x, text), a->k);
    call->outputs = 2;
    for (int i = 0; i < 2; i++) {
        call->out[i].dtype = i ? DIT_I64 : call->in[0].dtype;
        call->out[i].shape = *x;
        call->out[i].shape.dim[x->rank - 1] = a->k;
    }
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    if (!dit_is_none(c->dout[0]))
        c->din[0] = dit_gather_backward(g, c->dout[0], c->out[1], dit_extent(g, c->in[0], -1), -1);
}

static bool before(const double *x, int64_t i, int64_t j)
{
    bool same = x[i] == x[j] || (isnan(x[i]) && isnan(x[j]));
    return same ? i < j : isnan(x[i]) || x[i] > x[j];
}

// The rank of an element is how many come before it.
static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_top_k_attributes *a = call->attributes;
    const dit_shape *s = &call->in[0].shape;
    int64_t N = s->dim[s->rank - 1], rows = dit_shape_count(s) / N;
    for (int64_t r = 0; r < rows; r++) {
        const double *x = in[0] + r * N;
        for (int64_t i = 0; i < N; i++) {
            int64_t rank = 0;
            for (int64_t j = 0; j < N; j++)
                rank += before(x, j, i);
            if (rank < a->k) {
                out[0][r * a->k + rank] = x[i];
                out[1][r * a->k + rank] = (double)i;
            }
        }
    }
}

const dit_op dit_op_top_k = {
    .name = "top_k",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_top_k_attributes),
};

dit_tensor dit_top_k(dit_graph *g, dit_tensor x, int k)
{
    struct dit_top_k_attributes a = {.k = k};
    return dit_apply(g, DIT_OP_top_k, &x, 1, &a);
}
