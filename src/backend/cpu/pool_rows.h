// backend/cpu/pool_rows.h: the loop nest that avg_pool and its gradient share.
#ifndef DIT_BACKEND_CPU_POOL_ROWS_H
#define DIT_BACKEND_CPU_POOL_ROWS_H

#include "backend/cpu/isa.h"
#include "backend/cpu/nest.h"
#include "backend/pooling.h"

// Calls add(x, stride, y, n) for every run of outputs along a row and every place of the window in which all of them
// have an input: y[0], ..., y[n - 1] meet x[0], x[stride], ... The planes x and y are one channel's.
static inline __attribute__((always_inline)) void dit_pool_plane(const dit_pool_geometry *p, float *x, float *y,
                                                                 void (*add)(float *x, int64_t stride, float *y,
                                                                             int64_t n))
{
    for (int64_t o0 = 0; o0 < p->out[0]; o0++)
        for (int64_t o1 = 0; o1 < p->out[1]; o1++, y += p->out[2])
            for (int64_t k0 = 0; k0 < p->extent[0]; k0++)
                for (int64_t k1 = 0; k1 < p->extent[1]; k1++) {
                    int64_t i0 = o0 * p->stride[0] + k0 - p->padding[0], i1 = o1 * p->stride[1] + k1 - p->padding[1];
                    if (i0 < 0 || i0 >= p->in[0] || i1 < 0 || i1 >= p->in[1])
                        continue;
                    for (int64_t k2 = 0; k2 < p->extent[2]; k2++) {
                        int64_t shift = k2 - p->padding[2], stride = p->stride[2]; // y[o] meets column o stride + shift
                        int64_t begin = shift < 0 ? (-shift + stride - 1) / stride : 0;
                        int64_t end = p->in[2] > shift ? (p->in[2] - shift + stride - 1) / stride : 0;
                        end = end < p->out[2] ? end : p->out[2];
                        if (begin < end)
                            add(x + (i0 * p->in[1] + i1) * p->in[2] + begin * stride + shift, stride, y + begin,
                                end - begin);
                    }
                }
}

#endif
