// backend/cpu/kernels/rope.c: a token's cosines and sines are laid out once for all its heads.
#include "backend/cpu/nest.h"
#include "backend/cpu/rope_rows.h"

static void run(const dit_op_call *call)
{
    const struct dit_rope_attributes *a = call->attributes;
    const dit_view *x = &call->in[0], *y = &call->out[0];
    int64_t B = x->shape.dim[0], T = x->shape.dim[1], H = x->shape.dim[2], D = x->shape.dim[3];
#pragma omp parallel for schedule(static) if (B * T * H * D >= DIT_PARALLEL_WORK)
    for (int64_t n = 0; n < B * T; n++) {
        int64_t b = n / T, t = n % T, step;
        const float *table = dit_rope_table_row(&call->in[1], b, t, &step);
        const float *from = (const float *)x->data + b * x->stride[0] + t * x->stride[1];
        float *to = (float *)y->data + n * H * D;
        dit_rotation r = {.half = D / 2, .interleaved = a->interleaved};
        for (r.first = 0; r.first < r.half; r.first += r.n) {
            dit_rotation_load(&r, table, step, a->inverse ? -1 : 1, NULL);
            for (int64_t h = 0; h < H; h++)
                dit_rotate(&r, from + h * x->stride[2], to + h * D, 1);
        }
    }
}

DIT_KERNEL(rope) = {.run = run, .layout = DIT_ROWS, .in_place = 1};
