// graph/ops/cross_entropy_backward.c: dlogits = dy * (softmax(logits) - (1 - smoothing) * one_hot(label) - smoothing /
// C); 0 where the label equals `ignored`.
//   dy: (N) f32, f16, bf16     logits: (N, C) float     labels: (N) i32 or i64     the rest: as of cross_entropy
//   dlogits: (N, C) dtype of dy     No gradient of its own.
#include "graph/normalization.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const dit_view *dy = &call->in[0], *logits = &call->in[1], *labels = &call->in[2];
    if (!dit_dtype_is_float(logits->dtype) || logits->shape.rank != 2 || logits->shape.dim[1] < 1 ||
        (labels->dtype != DIT_I32 && labels->dtype != DIT_I64) || labels->shape.rank != 1 ||
        labels->shape.dim[0] != logits->shape.dim[0])
        return dit_fail(error, DIT_BAD_ARGUMENT, "cross_entropy_backward: needs logits (N, C) and integer labels (N)");
    if (!dit_dtype_is_float(dy->dtype) || !dit_shape_equal(&dy->shape, &labels->shape))
        return dit_fail(error, DIT_BAD_ARGUMENT, "cross_entropy_backward: dy must be a float tensor (%lld)",
                        (long long)labels->shape.dim[0]);
    dit_set_output(call, 0, dy->dtype, logits->shape);
    return DIT_OK;
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_cross_entropy_backward_attributes *a = call->attributes;
    int64_t N = call->in[1].shape.dim[0], C = call->in[1].shape.dim[1];
    double smoothing = (double)a->smoothing;
    for (int64_t n = 0; n < N; n++) {
        const double *x = in[1] + n * C;
        double largest = -INFINITY, sum = 0, label = fmin(fmax(in[2][n], 0), (double)(C - 1));
        for (int64_t c = 0; c < C; c++)
            largest = fmax(largest, x[c]);
        for (int64_t c = 0; c < C; c++)
            sum += exp(x[c] - largest);
        for (int64_t c = 0; c < C; c++) {
            double p = exp(x[c] - largest) / sum, target = smoothing / (double)C;
            if (c == (int64_t)label)
                target += 1 - smoothing;
            out[0][n * C + c] = in[2][n] == (double)a->ignored ? 0 : in[0][n] * (p - target);
        }
    }
}

const dit_op dit_op_cross_entropy_backward = {
    .name = "cross_entropy_backward",
    .shape = shape,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_cross_entropy_backward_attributes),
};

dit_tensor dit_cross_entropy_backward(dit_graph *g, dit_tensor dy, dit_tensor logits, dit_tensor labels,
                                      float smoothing, int64_t ignored)
{
    struct dit_cross_entropy_backward_attributes a = {.smoothing = smoothing, .ignored = ignored};
    return dit_apply(g, DIT_OP_cross_entropy_backward, (dit_tensor[]){dy, logits, labels}, 3, &a);
}
