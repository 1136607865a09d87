// backend/cpu/kernels/qk_norm_rope.c: one pass over each head for its mean square, one to scale and turn it. A token's
// cosines and sines are multiplied by the norm's weights once for all its heads.
#include "backend/cpu/nest.h"
#include "backend/cpu/rope_rows.h"
#include <math.h>

static float inverse_rms(const float *x, int64_t n, float eps)
{
    float squares = 0;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < n; i++)
        squares += x[i] * x[i];
    return 1 / sqrtf(squares / (float)n + eps);
}

// y = x / rms(x), for heads that are too large to be scaled while they are turned.
static void normalise(const float *x, float *y, int64_t n, float eps)
{
    float scale = inverse_rms(x, n, eps);
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] * scale;
}

static void run(const dit_op_call *call)
{
    const struct dit_qk_norm_rope_attributes *a = call->attributes;
    const dit_view *x = &call->in[0], *y = &call->out[0];
    const float *weight = dit_is_absent(&call->in[1]) ? NULL : call->in[1].data;
    int64_t B = x->shape.dim[0], T = x->shape.dim[1], H = x->shape.dim[2], D = x->shape.dim[3];
    bool whole = D / 2 <= DIT_ROTATION_PAIRS;
#pragma omp parallel for schedule(static) if (B * T * H * D >= DIT_PARALLEL_WORK / 2)
    for (int64_t n = 0; n < B * T; n++) {
        int64_t b = n / T, t = n % T, step;
        const float *table = dit_rope_table_row(&call->in[2], b, t, &step);
        const float *from = (const float *)x->data + b * x->stride[0] + t * x->stride[1];
        float *to = (float *)y->data + n * H * D;
        for (int64_t h = 0; h < H && !whole; h++)
            normalise(from + h * x->stride[2], to + h * D, D, a->eps);
        dit_rotation r = {.half = D / 2, .interleaved = a->interleaved};
        for (r.first = 0; r.first < r.half; r.first += r.n) {
            dit_rotation_load(&r, table, step, 1, weight);
            for (int64_t h = 0; h < H; h++) {
                const float *head = whole ? from + h * x->stride[2] : to + h * D;
                dit_rotate(&r, head, to + h * D, whole ? inverse_rms(head, D, a->eps) : 1);
            }
        }
    }
}

DIT_KERNEL(qk_norm_rope) = {.run = run, .layout = DIT_ROWS, .in_place = 1};
