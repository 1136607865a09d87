// graph/ops/cross_entropy.c: y = -(1 - smoothing) * log p(label) - smoothing * mean over classes of log p, with
// p = softmax(logits); 0 where the label equals `ignored`. As torch's cross_entropy without reduction. Label smoothing:
// Szegedy et al. 2015 (arXiv 1512.00567), section 7.
//   logits: (N, C) f32, f16, bf16     labels: (N) i32 or i64, clamped to 0 .. C - 1     smoothing: 0 .. 1
//   y: (N) dtype of logits
#include "graph/normalization.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_cross_entropy_attributes *a = call->attributes;
    const dit_view *logits = &call->in[0], *labels = &call->in[1];
    if (!dit_dtype_is_float(logits->dtype) || logits->shape.rank != 2 || logits->shape.dim[1] < 1)
        return dit_fail(error, DIT_BAD_ARGUMENT, "cross_entropy: the logits must be a float tensor (N, C)");
    if ((labels->dtype != DIT_I32 && labels->dtype != DIT_I64) || labels->shape.rank != 1 ||
        labels->shape.dim[0] != logits->shape.dim[0])
        return dit_fail(error, DIT_BAD_ARGUMENT, "cross_entropy: the labels must be i32 or i64 (%lld)",
                        (long long)logits->shape.dim[0]);
    if (!(a->smoothing >= 0 && a->smoothing <= 1))
        return dit_fail(error, DIT_BAD_ARGUMENT, "cross_entropy: smoothing is %g; it lies between 0 and 1",
                        (double)a->smoothing);
    dit_set_output(call, 0, logits->dtype, DIT_SHAPE(logits->shape.dim[0]));
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_cross_entropy_attributes *a = c->attributes;
    c->din[0] = dit_cross_entropy_backward(g, c->dout[0], c->in[0], c->in[1], a->smoothing, a->ignored);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_cross_entropy_attributes *a = call->attributes;
    int64_t N = call->in[0].shape.dim[0], C = call->in[0].shape.dim[1];
    double smoothing = (double)a->smoothing;
    for (int64_t n = 0; n < N; n++) {
        const double *x = in[0] + n * C;
        double largest = -INFINITY, sum = 0, mean = 0, label = fmin(fmax(in[1][n], 0), (double)(C - 1));
        for (int64_t c = 0; c < C; c++)
            largest = fmax(largest, x[c]);
        for (int64_t c = 0; c < C; c++) {
            sum += exp(x[c] - largest);
            mean += x[c] / (double)C;
        }
        double log_sum = largest + log(sum);
        double loss = (1 - smoothing) * (log_sum - x[(int64_t)label]) + smoothing * (log_sum - mean);
        out[0][n] = in[1][n] == (double)a->ignored ? 0 : loss;
    }
}

const dit_op dit_op_cross_entropy = {
    .name = "cross_entropy",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_cross_entropy_attributes),
};

dit_tensor dit_cross_entropy(dit_graph *g, dit_tensor logits, dit_tensor labels, float smoothing, int64_t ignored)
{
    struct dit_cross_entropy_attributes a = {.smoothing = smoothing, .ignored = ignored};
    return dit_apply(g, DIT_OP_cross_entropy, (dit_tensor[]){logits, labels}, 2, &a);
}
