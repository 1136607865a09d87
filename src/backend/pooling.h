// backend/pooling.h: a pooling window's geometry.
#ifndef DIT_BACKEND_POOLING_H
#define DIT_BACKEND_POOLING_H

#include "backend/kernel.h"

// A window over x, (B, C, [[D,] H,] W), as over three spatial axes: absent ones come first and have one element.
typedef struct dit_pool_geometry {
    int64_t planes;
    int64_t in[3], out[3], extent[3], stride[3], padding[3];
} dit_pool_geometry;

static inline dit_pool_geometry dit_pool_geometry_of(const dit_shape *x, const dit_shape *y, const dit_window *w)
{
    dit_pool_geometry p = {x->dim[0] * x->dim[1], {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}};
    for (int i = 0; i < w->axes; i++) {
        int to = i + 3 - w->axes;
        p.in[to] = x->dim[i + 2];
        p.out[to] = y->dim[i + 2];
        p.extent[to] = w->extent[i];
        p.stride[to] = w->stride[i];
        p.padding[to] = w->padding[i];
    }
    return p;
}

#endif
