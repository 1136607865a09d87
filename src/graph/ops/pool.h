// graph/ops/pool.h: what avg_pool and its gradient share.
#ifndef DIT_GRAPH_OPS_POOL_H
#define DIT_GRAPH_OPS_POOL_H

#include "backend/pooling.h"
#include "graph/ops/rules.h"

// The shape that pooling gives x, (B, C, [[D,] H,] W), with a window over its spatial axes.
static inline dit_status dit_pool_shape(const char *op, const dit_shape *x, const dit_window *w, dit_shape *y,
                                        dit_error *error)
{
    char text[160];
    if (w->axes < 1 || w->axes > 3 || x->rank != w->axes + 2)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: a window over %d axes does not fit %s", op, w->axes,
                        dit_shape_text(x, text));
    *y = *x;
    for (int i = 0; i < w->axes; i++) {
        int64_t padded;
        if (w->extent[i] < 1 || w->stride[i] < 1 || w->padding[i] < 0 || w->padding[i] > w->extent[i] / 2 ||
            __builtin_add_overflow(x->dim[i + 2], 2 * (int64_t)w->padding[i], &padded) || padded < w->extent[i])
            return dit_fail(error, DIT_BAD_ARGUMENT,
                            "%s: a window of %d with stride %d and padding %d does not fit axis %d of %s", op,
                            w->extent[i], w->stride[i], w->padding[i], i + 2, dit_shape_text(x, text));
        y->dim[i + 2] = (padded - w->extent[i]) / w->stride[i] + 1;
    }
    return DIT_OK;
}

// Calls visit(context, index in x, index in y) for every pair of an input and an output element whose window covers it.
static inline void dit_pool_walk(const dit_pool_geometry *p, void (*visit)(void *context, int64_t x, int64_t y),
                                 void *context)
{
    int64_t size = p->in[0] * p->in[1] * p->in[2], y = 0, o[3], k[3];
    for (int64_t n = 0; n < p->planes; n++)
        for (o[0] = 0; o[0] < p->out[0]; o[0]++)
            for (o[1] = 0; o[1] < p->out[1]; o[1]++)
                for (o[2] = 0; o[2] < p->out[2]; o[2]++, y++)
                    for (k[0] = 0; k[0] < p->extent[0]; k[0]++)
                        for (k[1] = 0; k[1] < p->extent[1]; k[1]++)
                            for (k[2] = 0; k[2] < p->extent[2]; k[2]++) {
                                int64_t x = 0;
                                for (int i = 0; i < 3; i++) {
                                    int64_t at = o[i] * p->stride[i] + k[i] - p->padding[i];
                                    x = x < 0 || at < 0 || at >= p->in[i] ? -1 : x * p->in[i] + at;
                                }
                                if (x >= 0)
                                    visit(context, n * size + x, y);
                            }
}

#endif
