// graph/ops/attention.c: y = softmax(scale q k^T + mask) v for each head. Vaswani et al. 2017 (arXiv 1706.03762),
// eq. 1.
//   q: (B, Tq, H, D) float     k, v: (B, Tk, Hkv, D) float; query head h attends to key head h / (H / Hkv)
//   mask: broadcastable to (B, H, Tq, Tk), bool (true: may attend) or float (added), may be absent
//   scale: usually 1 / sqrt(D)     causal: query i attends to keys j <= i
//   y: (B, Tq, H, D), dtype of q     lse: (B, H, Tq) f32, log(sum over j of exp(score_j)), for the backward pass
// A row that may attend to nothing gives y = 0 and lse = -infinity.
// Backward: attention_backward gives dq, dk, dv. There is none with respect to the mask.
#include "graph/ops/attention.h"

enum { Q, K, V, MASK };

static dit_status shape(dit_op_call *call, dit_error *error)
{
    dit_status status = dit_rule_present(call, "attention", 3, error);
    for (int i = Q; !status && i <= V; i++)
        status = dit_rule_float(call, "attention", i, error);
    if (status ||
        (status = dit_attention_check("attention", &call->in[Q], &call->in[K], &call->in[V], &call->in[MASK], error)))
        return status;
    const dit_shape *q = &call->in[Q].shape;
    call->outputs = 2;
    call->out[0].dtype = call->in[Q].dtype;
    call->out[0].shape = *q;
    call->out[1].dtype = DIT_F32;
    call->out[1].shape = DIT_SHAPE(q->dim[0], q->dim[2], q->dim[1]);
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_attention_attributes *a = c->attributes;
    if (c->wanted[MASK] || !dit_is_none(c->dout[1])) {
        dit_graph_fail(g, DIT_UNSUPPORTED, "attention: a gradient %s is wanted; there are those of y to q, k and v",
                       c->wanted[MASK] ? "to the mask" : "of lse");
        return;
    }
    c->din[Q] = dit_attention_backward(g, c->dout[0], c->in[Q], c->in[K], c->in[V], c->in[MASK], c->out[0], c->out[1],
                                       a->scale, a->causal);
    c->din[K] = dit_sibling(g, c->din[Q], 1);
    c->din[V] = dit_sibling(g, c->din[Q], 2);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_attention_attributes *a = call->attributes;
    const dit_shape *q = &call->in[Q].shape, *k = &call->in[K].shape;
    int64_t B = q->dim[0], Tq = q->dim[1], H = q->dim[2], D = q->dim[3], Tk = k->dim[1], Hkv = k->dim[2];
    dit_attention_inputs inputs = {in, call->in, (double)a->scale, a->causal};
    for (int64_t n = 0; n < B * H * Tq; n++) {
        int64_t b = n / (H * Tq), h = n / Tq % H, i = n % Tq;
        double *y = out[0] + ((b * Tq + i) * H + h) * D, largest = -INFINITY, sum = 0;
        for (int64_t d = 0; d < D; d++)
            y[d] = 0;
        for (int64_t j = 0; j < Tk; j++)
            largest = fmax(largest, dit_attention_score(&inputs, b, h, i, j));
        for (int64_t j = 0; j < Tk && largest > -INFINITY; j++) {
            double p = exp(dit_attention_score(&inputs, b, h, i, j) - largest);
            const double *v = in[V] + ((b * Tk + j) * Hkv + h / (H / Hkv)) * D;
            sum += p;
            for (int64_t d = 0; d < D; d++)
                y[d] += p * v[d];
        }
        for (int64_t d = 0; d < D && sum > 0; d++)
            y[d] /= sum;
        out[1][n] = sum > 0 ? largest + log(sum) : -INFINITY;
    }
}

static double flops(const dit_op_call *call)
{
    return dit_attention_flops(&call->in[Q].shape, &call->in[K].shape, 2);
}

const dit_op dit_op_attention = {
    .name = "attention",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .flops = flops,
    .attribute_bytes = sizeof(struct dit_attention_attributes),
};

dit_tensor dit_attention(dit_graph *g, dit_tensor q, dit_tensor k, dit_tensor v, dit_tensor mask, float scale,
                         bool causal)
{
    struct dit_attention_attributes a = {.scale = scale, .causal = causal};
    return dit_apply(g, DIT_OP_attention, (dit_tensor[]){q, k, v, mask}, 4, &a);
}
