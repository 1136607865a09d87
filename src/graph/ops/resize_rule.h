// graph/ops/resize_rule.h: the checks and the loops that resize and its gradient share.
#ifndef DIT_GRAPH_OPS_RESIZE_RULE_H
#define DIT_GRAPH_OPS_RESIZE_RULE_H

#include "backend/rounding.h"
#include "graph/ops/rules.h"

// Fails unless x can be resized to y: shapes alike but for the last two extents, which kernels count in 31 bits.
static inline dit_status dit_resize_check(const char *op, const dit_shape *x, const dit_shape *y, dit_resize_mode mode,
                                          dit_error *error)
{
    dit_status status = dit_rule_sane(op, x, error);
    if (status || (status = dit_rule_sane(op, y, error)))
        return status;
    bool fits = x->rank == y->rank && x->rank >= 2 && (unsigned)mode <= DIT_BILINEAR_CORNERS;
    for (int i = 0; fits && i < x->rank; i++)
        fits = i < x->rank - 2 ? x->dim[i] == y->dim[i]
                               : x->dim[i] >= 1 && y->dim[i] >= 1 && x->dim[i] <= INT32_MAX && y->dim[i] <= INT32_MAX;
    char a[160], b[160];
    if (!fits)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: %s cannot be resized to %s; only the last two extents may differ",
                        op, dit_shape_text(x, a), dit_shape_text(y, b));
    return DIT_OK;
}

// Calls visit(context, index in x, index in y, weight) for every element of x that has a part in one of y.
static inline void dit_resize_walk(const dit_shape *x, const dit_shape *y, dit_resize_mode mode,
                                   void (*visit)(void *context, int64_t x, int64_t y, double weight), void *context)
{
    int64_t h = x->dim[x->rank - 2], w = x->dim[x->rank - 1], H = y->dim[y->rank - 2], W = y->dim[y->rank - 1];
    int64_t planes = dit_shape_count(x) / (h * w);
    for (int64_t n = 0, at = 0; n < planes; n++)
        for (int64_t i = 0; i < H; i++)
            for (int64_t j = 0; j < W; j++, at++) {
                dit_resize_tap r = dit_resize_tap_of(i, h, H, mode), c = dit_resize_tap_of(j, w, W, mode);
                double v = (double)r.fraction, u = (double)c.fraction;
                int64_t top = (n * h + r.first) * w, bottom = (n * h + r.second) * w;
                visit(context, top + c.first, at, (1 - v) * (1 - u));
                visit(context, top + c.second, at, (1 - v) * u);
                visit(context, bottom + c.first, at, v * (1 - u));
                visit(context, bottom + c.second, at, v * u);
            }
}

#endif
