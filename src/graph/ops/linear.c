// graph/ops/linear.c: y = residual + gate * activation(x @ weight^T + bias).
//   x: (..., K) float     weight: (N, K) float     bias: (N), may be absent     y: (..., N), dtype of x
// Made by fusion only, f32:
//   activation     gate: broadcastable to y, constant along axis -2, or (N)     residual: (..., N)
// Backward: dx = dy @ weight, dweight = dy^T @ x over all rows, dbias = the sum of dy's rows.
#include "graph/activation.h"
#include "graph/ops/rules.h"

enum { X, WEIGHT, BIAS, GATE, RESIDUAL };

static dit_status shape(dit_op_call *call, dit_error *error)
{
    dit_status status = dit_rule_present(call, "linear", 2, error);
    for (int i = 0; !status && i < call->inputs; i++)
        if (!dit_is_absent(&call->in[i]))
            status = dit_rule_float(call, "linear", i, error);
    if (status)
        return status;
    const dit_view *x = &call->in[X], *weight = &call->in[WEIGHT];
    char s[160], t[160];
    if (weight->shape.rank != 2 || x->shape.rank < 1 || x->shape.dim[x->shape.rank - 1] != weight->shape.dim[1])
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "linear: x %s does not fit weight %s; x ends in the weight's last axis",
                        dit_shape_text(&x->shape, s), dit_shape_text(&weight->shape, t));
    dit_shape y = x->shape;
    y.dim[y.rank - 1] = weight->shape.dim[0];
    if (call->inputs > BIAS && !dit_is_absent(&call->in[BIAS]) &&
        !dit_shape_equal(&call->in[BIAS].shape, &DIT_SHAPE(weight->shape.dim[0])))
        return dit_fail(error, DIT_BAD_ARGUMENT, "linear: bias %s does not fit weight %s",
                        dit_shape_text(&call->in[BIAS].shape, s), dit_shape_text(&weight->shape, t));
    for (int i = GATE; i < call->inputs; i++) {
        dit_shape both;
        if (dit_is_absent(&call->in[i]))
            continue;
        if ((status = dit_broadcast_shapes("linear", &call->in[i].shape, &y, &both, error)))
            return status;
        if (!dit_shape_equal(&both, &y) || (i == RESIDUAL && !dit_shape_equal(&call->in[i].shape, &y)))
            return dit_fail(error, DIT_BAD_ARGUMENT, "linear: %s %s does not fit y %s", i == GATE ? "gate" : "residual",
                            dit_shape_text(&call->in[i].shape, s), dit_shape_text(&y, t));
    }
    call->out[0].dtype = x->dtype;
    call->out[0].shape = y;
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    dit_shape x = *dit_shape_of(g, c->in[X]), weight = *dit_shape_of(g, c->in[WEIGHT]);
    int64_t rows = 1;
    for (int i = 0; i < x.rank - 1; i++)
        rows *= x.dim[i];
    dit_tensor dy = dit_reshape(g, c->dout[0], DIT_SHAPE(rows, weight.dim[0]));
    if (c->wanted[X])
        c->din[X] = dit_reshape(g, dit_matmul(g, dy, c->in[WEIGHT]), x);
    if (c->wanted[WEIGHT])
        c->din[WEIGHT] =
            dit_matmul(g, dit_transpose(g, dy, 0, 1), dit_reshape(g, c->in[X], DIT_SHAPE(rows, weight.dim[1])));
    if (c->inputs > BIAS && c->wanted[BIAS])
        c->din[BIAS] = dit_sum(g, dy, 1u << 0, false);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_linear_attributes *a = call->attributes;
    const dit_shape *y = &call->out[0].shape, none = DIT_SCALAR;
    int64_t N = call->in[WEIGHT].shape.dim[0], K = call->in[WEIGHT].shape.dim[1];
    const double *bias = call->inputs > BIAS ? in[BIAS] : NULL, *gate = call->inputs > GATE ? in[GATE] : NULL,
                 *residual = call->inputs > RESIDUAL ? in[RESIDUAL] : NULL;
    if (dit_shape_count(y) == 0)
        return;
    dit_walk walk = dit_walk_start(y, 2, (const dit_shape *[]){y, gate ? &call->in[GATE].shape : &none});
    do {
        int64_t i = walk.offset[0], n = i % N;
        const double *x = in[X] + i / N * K, *w = in[WEIGHT] + n * K;
        double sum = bias ? bias[n] : 0;
        for (int64_t k = 0; k < K; k++)
            sum += x[k] * w[k];
        double v = dit_activated(a->activation, sum);
        if (gate)
            v *= gate[walk.offset[1]];
        out[0][i] = v + (residual ? residual[i] : 0);
    } while (dit_walk_next(&walk));
}

static double flops(const dit_op_call *call)
{
    return 2.0 * (double)dit_shape_count(&call->out[0].shape) * (double)call->in[WEIGHT].shape.dim[1];
}

const dit_op dit_op_linear = {
    .name = "linear",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .flops = flops,
    .attribute_bytes = sizeof(struct dit_linear_attributes),
};

dit_tensor dit_linear(dit_graph *g, dit_tensor x, dit_tensor weight, dit_tensor bias)
{
    struct dit_linear_attributes a = {.activation = DIT_NO_ACTIVATION};
    return dit_apply(g, DIT_OP_linear, (dit_tensor[]){x, weight, bias}, 3, &a);
}
