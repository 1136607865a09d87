// graph/ops/attention.c: y = softmax(scale q k^T + mask) v for each head. Vaswani et al. 2017 (arXiv 1706.03762),
// eq. 1.
//   q: (B, Tq, H, D) float     k, v: (B, Tk, Hkv, D) float; query head h attends to key head h / (H / Hkv)
//   mask: broadcastable to (B, H, Tq, Tk), bool (true: may attend) or float (added), may be absent
//   scale: usually 1 / sqrt(D)     causal: query i attends to keys j <= i
//   y: (B, Tq, H, D), dtype of q     lse: (B, H, Tq) f32, log(sum over j of exp(score_j)), for the backward pass
// A row that may attend to nothing gives y = 0 and lse = -infinity.
// In half precision, `weights`, exp(score - largest score) is rounded before it meets v, but not where it enters the
// sum that is divided by, as in torch.nn.functional.scaled_dot_product_attention on a CPU: the largest score is that of
// the keys so far, DIT_ATTENTION_KEYS at a time. A kernel may take these exponentials to four digits.
//
// Backward: attention_backward gives dq, dk, dv. A float mask's is made of matrices, and takes memory for all scores.
#include "graph/ops/attention.h"
#include <stdlib.h>

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

// x: (B, T, H, D) -> (B, Hkv, H / Hkv, T, D), or its last two axes swapped.
static dit_tensor by_head(dit_graph *g, dit_tensor x, int64_t kv_heads, bool transposed)
{
    dit_shape s = *dit_shape_of(g, x);
    x = dit_reshape(g, x, DIT_SHAPE(s.dim[0], s.dim[1], kv_heads, s.dim[2] / kv_heads, s.dim[3]));
    return dit_permute(g, x, transposed ? (int[]){0, 2, 3, 4, 1} : (int[]){0, 2, 3, 1, 4});
}

// Scores (B, H, Tq, Tk) with those of keys that come after the query shut.
static dit_tensor shut_later_keys(dit_graph *g, dit_tensor scores)
{
    int64_t Tq = dit_extent(g, scores, 2), Tk = dit_extent(g, scores, 3);
    float *positions = malloc((size_t)(Tq > Tk ? Tq : Tk) * sizeof *positions);
    if (!positions) {
        dit_graph_fail(g, DIT_NO_MEMORY, "attention: no memory for a gradient");
        return DIT_NONE;
    }
    for (int64_t i = 0; i < Tq || i < Tk; i++)
        positions[i] = (float)i;
    dit_tensor query = dit_constant(g, DIT_F32, DIT_SHAPE(Tq, 1), positions);
    dit_tensor key = dit_constant(g, DIT_F32, DIT_SHAPE(1, Tk), positions);
    free(positions);
    return dit_where(g, dit_less(g, query, key), dit_scalar(g, -INFINITY), scores);
}

// The gradient of a mask is that of the scores it is added to: p (dy v^T - sum(dy y)), p = softmax(scores), 0
// where all is shut and lse therefore -infinity.
static dit_tensor mask_gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_attention_attributes *a = c->attributes;
    const dit_shape *q = dit_shape_of(g, c->in[Q]);
    int64_t B = q->dim[0], Tq = q->dim[1], H = q->dim[2], Tk = dit_extent(g, c->in[K], 1);
    int64_t kv_heads = dit_extent(g, c->in[K], 2);
    const dit_shape scores = DIT_SHAPE(B, H, Tq, Tk), rows = DIT_SHAPE(B, H, Tq, 1);
    dit_tensor s = dit_matmul(g, by_head(g, c->in[Q], kv_heads, false), by_head(g, c->in[K], kv_heads, true));
    s = dit_add(g, dit_affine(g, dit_reshape(g, s, scores), a->scale, 0), c->in[MASK]);
    if (a->causal)
        s = shut_later_keys(g, s);
    dit_tensor open = dit_less(g, dit_scalar(g, -INFINITY), dit_reshape(g, c->out[1], rows));
    dit_tensor p = dit_mul(g, dit_softmax(g, dit_clamp(g, s, -3e38f, INFINITY), -1), dit_cast(g, open, DIT_F32));
    dit_tensor dp = dit_matmul(g, by_head(g, c->dout[0], kv_heads, false), by_head(g, c->in[V], kv_heads, true));
    dit_tensor mean = dit_sum(g, dit_mul(g, c->dout[0], c->out[0]), 1u << 3, false); // (B, Tq, H)
    mean = dit_reshape(g, dit_transpose(g, mean, 1, 2), rows);
    return dit_sum_to(g, dit_mul(g, p, dit_sub(g, dit_reshape(g, dp, scores), mean)), dit_shape_of(g, c->in[MASK]));
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_attention_attributes *a = c->attributes;
    if (!dit_is_none(c->dout[1])) {
        dit_graph_fail(g, DIT_UNSUPPORTED, "attention: a gradient of lse is wanted; there are those of y");
        return;
    }
    if (c->wanted[MASK])
        c->din[MASK] = mask_gradient(g, c);
    c->din[Q] = dit_attention_backward(g, c->dout[0], c->in[Q], c->in[K], c->in[V], c->in[MASK], c->out[0], c->out[1],
                                       a->scale, a->causal);
    c->din[K] = dit_sibling(g, c->din[Q], 1);
    c->din[V] = dit_sibling(g, c->din[Q], 2);
}

static double rounded_to(dit_dtype dtype, double x)
{
    uint64_t element = 0;
    dit_element_set(dtype, &element, 0, x);
    return dit_element_get(dtype, &element, 0);
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
        for (int64_t j = 0; j < Tk; j++) {
            double before = largest;
            for (int64_t next = j; j % DIT_ATTENTION_KEYS == 0 && next < Tk && next < j + DIT_ATTENTION_KEYS; next++)
                largest = fmax(largest, dit_attention_score(&inputs, b, h, i, next));
            if (largest == -INFINITY)
                continue;
            double p = exp(dit_attention_score(&inputs, b, h, i, j) - largest), shrink = exp(before - largest);
            double weight = a->weights == DIT_F32 ? p : rounded_to(a->weights, p);
            const double *v = in[V] + ((b * Tk + j) * Hkv + h / (H / Hkv)) * D;
            sum = sum * shrink + p;
            for (int64_t d = 0; d < D; d++)
                y[d] = y[d] * shrink + weight * v[d];
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
    struct dit_attention_attributes a = {.scale = scale, .causal = causal, .weights = dit_dtype_of(g, q)};
    return dit_apply(g, DIT_OP_attention, (dit_tensor[]){q, k, v, mask}, 4, &a);
}
