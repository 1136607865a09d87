// backend/cpu/kernels/cross_entropy_backward.c: dlogits = dy * (softmax(logits) - (1 - smoothing) * one_hot(label) -
// smoothing / C).
#include "backend/cpu/nest.h"
#include "backend/cpu/softmax_row.h"

static int64_t label_at(const dit_view *labels, int64_t n)
{
    return labels->dtype == DIT_I64 ? ((const int64_t *)labels->data)[n] : ((const int32_t *)labels->data)[n];
}

static void backward(float *dx, const float *x, float dy, int64_t C, int64_t label, float smoothing)
{
    int64_t c = label < 0 ? 0 : label >= C ? C - 1 : label;
    float scale = (float)(1 / dit_row_exp(dx, x, dit_row_largest(x, C), C)), rest = smoothing / (float)C;
    float at_label = dx[c] * scale;
#pragma omp simd
    for (int64_t i = 0; i < C; i++)
        dx[i] = dy * (dx[i] * scale - rest);
    dx[c] = dy * (at_label - (1.0f - smoothing) - rest);
}

static void run(const dit_op_call *call)
{
    const struct dit_cross_entropy_backward_attributes *a = call->attributes;
    int64_t N = call->in[1].shape.dim[0], C = call->in[1].shape.dim[1];
    const float *dy = call->in[0].data, *logits = call->in[1].data;
    float *dx = call->out[0].data;
#pragma omp parallel for schedule(static) if (N * C * 4 >= DIT_PARALLEL_WORK)
    for (int64_t n = 0; n < N; n++) {
        int64_t label = label_at(&call->in[2], n);
        if (label == a->ignored)
            memset(dx + n * C, 0, (size_t)C * sizeof *dx);
        else
            backward(dx + n * C, logits + n * C, dy[n], C, label, a->smoothing);
    }
}

DIT_KERNEL(cross_entropy_backward) = {.run = run, .layout = DIT_DENSE, .in_place = 2};
