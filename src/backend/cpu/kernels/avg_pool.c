// backend/cpu/kernels/avg_pool.c: every place of the window adds a run of each output row; threads share the planes.
#include "backend/cpu/pool_rows.h"
#include <string.h>

static void add(float *x, int64_t stride, float *y, int64_t n)
{
    if (stride == 1)
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            y[i] += x[i];
    else if (stride == 2)
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            y[i] += x[2 * i];
    else
        for (int64_t i = 0; i < n; i++)
            y[i] += x[stride * i];
}

static void run(const dit_op_call *call)
{
    const struct dit_avg_pool_attributes *a = call->attributes;
    dit_pool_geometry p = dit_pool_geometry_of(&call->in[0].shape, &call->out[0].shape, &a->window);
    int64_t from = p.in[0] * p.in[1] * p.in[2], to = p.out[0] * p.out[1] * p.out[2];
    int64_t volume = p.extent[0] * p.extent[1] * p.extent[2];
    float scale = 1 / (float)volume;
#pragma omp parallel for schedule(static) if (p.planes * to * volume >= DIT_PARALLEL_WORK)
    for (int64_t n = 0; n < p.planes; n++) {
        float *y = (float *)call->out[0].data + n * to;
        memset(y, 0, (size_t)to * sizeof *y);
        dit_pool_plane(&p, (float *)call->in[0].data + n * from, y, add);
        for (int64_t i = 0; i < to; i++)
            y[i] *= scale;
    }
}

DIT_KERNEL(avg_pool) = {.run = run, .layout = DIT_DENSE};
