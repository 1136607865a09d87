// backend/cpu/kernels/gather_backward.c: threads share the lines along the axis, so every sum is made by one thread in
// the order of the axis: the same bits for any number of threads.
#include "backend/cpu/ids.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/nest.h"
#include <string.h>

enum { COLUMNS = 64 }; // of one piece of work

static void run(const dit_op_call *call)
{
    const struct dit_gather_backward_attributes *a = call->attributes;
    const dit_view *dy = &call->in[0], *ids = &call->in[1];
    int64_t outer = 1, extent = dy->shape.dim[a->axis], inner = 1;
    for (int i = 0; i < dy->shape.rank; i++)
        *(i < a->axis ? &outer : &inner) *= i == a->axis ? 1 : dy->shape.dim[i];
    int64_t pieces = (inner + COLUMNS - 1) / COLUMNS, count = outer * (extent + a->extent) * inner;
    const float *from = dy->data;
    float *to = call->out[0].data;
#pragma omp parallel for schedule(static) if (count >= DIT_PARALLEL_WORK)
    for (int64_t k = 0; k < outer * pieces; k++) {
        int64_t o = k / pieces, first = k % pieces * COLUMNS, n = inner - first < COLUMNS ? inner - first : COLUMNS;
        float *dx = to + o * a->extent * inner + first;
        for (int64_t i = 0; i < a->extent; i++)
            memset(dx + i * inner, 0, (size_t)n * sizeof *dx);
        for (int64_t i = 0; i < extent; i++) {
            int64_t at = (o * extent + i) * inner + first;
            for (int64_t c = 0; c < n; c++)
                dx[dit_id(ids, at + c, a->extent) * inner + c] += from[at + c];
        }
    }
}

DIT_KERNEL(gather_backward) = {.run = run, .layout = DIT_DENSE};
