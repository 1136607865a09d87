// backend/cpu/kernels/scatter_add.c: threads share the columns, so every sum is made by one thread in the order of the
// ids: the same bits for any number of threads.
#include "backend/cpu/ids.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/nest.h"
#include <string.h>

enum { COLUMNS = 64 }; // of one piece of work: four cache lines a row

static void run(const dit_op_call *call)
{
    const dit_view *ids = &call->in[1];
    const float *rows = call->in[0].data;
    float *y = call->out[0].data;
    int64_t V = call->out[0].shape.dim[0], C = call->out[0].shape.dim[1], count = dit_shape_count(&ids->shape);
    int64_t pieces = (C + COLUMNS - 1) / COLUMNS;
#pragma omp parallel for schedule(static) if ((V + count) * C >= DIT_PARALLEL_WORK)
    for (int64_t piece = 0; piece < pieces; piece++) {
        int64_t first = piece * COLUMNS, n = C - first < COLUMNS ? C - first : COLUMNS;
        for (int64_t v = 0; v < V; v++)
            memset(y + v * C + first, 0, (size_t)n * sizeof *y);
        for (int64_t i = 0; i < count; i++) {
            float *to = y + dit_id(ids, i, V) * C + first;
            const float *from = rows + i * C + first;
#pragma omp simd
            for (int64_t c = 0; c < n; c++)
                to[c] += from[c];
        }
    }
}

DIT_KERNEL(scatter_add) = {.run = run, .layout = DIT_DENSE};
