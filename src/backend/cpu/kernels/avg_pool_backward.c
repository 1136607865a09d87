// backend/cpu/kernels/avg_pool_backward.c: every place of the window gives a run of dy to each input row; threads share
// the planes.
#include "backend/cpu/pool_rows.h"
#include <string.h>

static void add(float *dx, int64_t stride, float *dy, int64_t n)
{
    if (stride == 1)
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            dx[i] += dy[i];
    else if (stride == 2)
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            dx[2 * i] += dy[i];
    else
        for (int64_t i = 0; i < n; i++)
            dx[stride * i] += dy[i];
}

static void run(const dit_op_call *call)
{
    const struct dit_avg_pool_backward_attributes *a = call->attributes;
    dit_pool_geometry p = dit_pool_geometry_of(&a->x, &call->in[0].shape, &a->window);
    int64_t to = p.in[0] * p.in[1] * p.in[2], from = p.out[0] * p.out[1] * p.out[2];
    int64_t volume = p.extent[0] * p.extent[1] * p.extent[2];
    float scale = 1 / (float)volume;
#pragma omp parallel for schedule(static) if (p.planes * from * volume >= DIT_PARALLEL_WORK)
    for (int64_t n = 0; n < p.planes; n++) {
        float *dx = (float *)call->out[0].data + n * to;
        memset(dx, 0, (size_t)to * sizeof *dx);
        dit_pool_plane(&p, dx, (float *)call->in[0].data + n * from, add);
        for (int64_t i = 0; i < to; i++)
            dx[i] *= scale;
    }
}

DIT_KERNEL(avg_pool_backward) = {.run = run, .layout = DIT_DENSE};
