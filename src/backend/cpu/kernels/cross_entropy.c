// backend/cpu/kernels/cross_entropy.c: -(1 - smoothing) * log p(label) - smoothing * mean(log p), p = softmax(logits).
#include "backend/cpu/nest.h"
#include "backend/cpu/softmax_row.h"

static int64_t label_at(const dit_view *labels, int64_t n)
{
    return labels->dtype == DIT_I64 ? ((const int64_t *)labels->data)[n] : ((const int32_t *)labels->data)[n];
}

static float loss_of(const float *x, int64_t C, int64_t label, double smoothing)
{
    int64_t c = label < 0 ? 0 : label >= C ? C - 1 : label;
    float largest = dit_row_largest(x, C);
    double log_sum = (double)largest + log(dit_row_exp_sum(x, largest, C));
    double loss = (1 - smoothing) * (log_sum - (double)x[c]);
    if (smoothing > 0)
        loss += smoothing * (log_sum - dit_sum_of_row(x, x, 0, C) / (double)C);
    return (float)loss;
}

static void run(const dit_op_call *call)
{
    const struct dit_cross_entropy_attributes *a = call->attributes;
    int64_t N = call->in[0].shape.dim[0], C = call->in[0].shape.dim[1];
    const float *logits = call->in[0].data;
    float *y = call->out[0].data;
#pragma omp parallel for schedule(static) if (N * C * 4 >= DIT_PARALLEL_WORK)
    for (int64_t n = 0; n < N; n++) {
        int64_t label = label_at(&call->in[1], n);
        y[n] = label == a->ignored ? 0 : loss_of(logits + n * C, C, label, (double)a->smoothing);
    }
}

DIT_KERNEL(cross_entropy) = {.run = run, .layout = DIT_DENSE};
