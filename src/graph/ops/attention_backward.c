// graph/ops/attention_backward.c: the gradients of attention with respect to q, k and v.
//   dy, y: (B, Tq, H, D)     q, k, v, mask, scale, causal: as attention had them     lse: (B, H, Tq) f32
//   dq: like q     dk, dv: like k
// With p_ij = exp(score_ij - lse_i) and delta_i = dy_i . y_i (Dao et al. 2022, arXiv 2205.14135, algorithm 4):
//   dv_j = sum_i p_ij dy_i     ds_ij = p_ij (dy_i . v_j - delta_i)     dq_i = scale sum_j ds_ij k_j     dk_j = scale
//   sum_i ds_ij q_i
// and for k and v the sum over the query heads that share them. Not differentiable again.
#include "backend/swallowed.h"
#include "graph/ops/attention.h"
#include <string.h>

enum { DY, Q, K, V, MASK, Y, LSE };

static dit_status shape(dit_op_call *call, dit_error *error)
{
    dit_status status = dit_rule_present(call, "attention_backward", 4, error);
    for (int i = 0; !status && i < call->inputs; i++)
        if (i != MASK)
            status = dit_rule_float(call, "attention_backward", i, error);
    if (status || (status = dit_attention_check("attention_backward", &call->in[Q], &call->in[K], &call->in[V],
                                                &call->in[MASK], error)))
        return status;
    const dit_shape *q = &call->in[Q].shape;
    char s[160], t[160];
    if (!dit_shape_equal(&call->in[DY].shape, q) || !dit_shape_equal(&call->in[Y].shape, q) ||
        !dit_shape_equal(&call->in[LSE].shape, &DIT_SHAPE(q->dim[0], q->dim[2], q->dim[1])))
        return dit_fail(error, DIT_BAD_ARGUMENT, "attention_backward: dy %s or y, lse do not fit q %s",
                        dit_shape_text(&call->in[DY].shape, s), dit_shape_text(q, t));
    call->outputs = 3;
    for (int k = 0; k < 3; k++) {
        call->out[k].dtype = call->in[Q + k].dtype;
        call->out[k].shape = call->in[Q + k].shape;
    }
    return DIT_OK;
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_attention_backward_attributes *a = call->attributes;
    const dit_shape *q = &call->in[Q].shape, *k = &call->in[K].shape;
    int64_t B = q->dim[0], Tq = q->dim[1], H = q->dim[2], D = q->dim[3], Tk = k->dim[1], Hkv = k->dim[2];
    dit_attention_inputs inputs = {in + Q, call->in + Q, (double)a->scale, a->causal};
    memset(out[0], 0, (size_t)dit_shape_count(q) * sizeof(double));
    memset(out[1], 0, (size_t)dit_shape_count(k) * sizeof(double));
    memset(out[2], 0, (size_t)dit_shape_count(k) * sizeof(double));
    for (int64_t n = 0; n < B * H * Tq; n++) {
        int64_t b = n / (H * Tq), h = n / Tq % H, i = n % Tq, at = ((b * Tq + i) * H + h) * D;
        if (in[LSE][n] == -INFINITY)
            continue;
        double delta = 0, largest = -INFINITY, count = 0;
        bool swallowed = dit_swallowed(in[LSE][n]);
        for (int64_t j = 0; j < Tk && swallowed; j++) {
            double s = dit_attention_score(&inputs, b, h, i, j);
            count = s > largest ? 1 : count + (s == largest);
            largest = fmax(s, largest);
        }
        for (int64_t d = 0; d < D; d++)
            delta += in[DY][at + d] * in[Y][at + d];
        for (int64_t j = 0; j < Tk; j++) {
            int64_t key = ((b * Tk + j) * Hkv + h / (H / Hkv)) * D;
            double s = dit_attention_score(&inputs, b, h, i, j), dp = 0;
            double p = swallowed ? (s == largest) / count : exp(s - in[LSE][n]);
            for (int64_t d = 0; d < D; d++)
                dp += in[DY][at + d] * in[V][key + d];
            double ds = p * (dp - delta) * (double)a->scale;
            for (int64_t d = 0; d < D; d++) {
                out[0][at + d] += ds * in[K][key + d];
                out[1][key + d] += ds * in[Q][at + d];
                out[2][key + d] += p * in[DY][at + d];
            }
        }
    }
}

static double flops(const dit_op_call *call)
{
    return dit_attention_flops(&call->in[Q].shape, &call->in[K].shape, 5);
}

const dit_op dit_op_attention_backward = {
    .name = "attention_backward",
    .shape = shape,
    .reference = reference,
    .flops = flops,
    .attribute_bytes = sizeof(struct dit_attention_backward_attributes),
};

dit_tensor dit_attention_backward(dit_graph *g, dit_tensor dy, dit_tensor q, dit_tensor k, dit_tensor v,
                                  dit_tensor mask, dit_tensor y, dit_tensor lse, float scale, bool causal)
{
    struct dit_attention_backward_attributes a = {.scale = scale, .causal = causal};
    return dit_apply(g, DIT_OP_attention_backward, (dit_tensor[]){dy, q, k, v, mask, y, lse}, 7, &a);
}
