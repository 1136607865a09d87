// graph/ops/pad.h: what pad and its gradient share.
#ifndef DIT_GRAPH_OPS_PAD_H
#define DIT_GRAPH_OPS_PAD_H

#include "graph/ops/rules.h"

// Where y[i] of one padded axis comes from: an index into x, or -1 for the padding value.
static inline int64_t dit_pad_source(int64_t i, int64_t before, int64_t extent, dit_pad_mode mode)
{
    int64_t from = i - before;
    if (from >= 0 && from < extent)
        return from;
    if (mode == DIT_PAD_VALUE)
        return -1;
    if (mode == DIT_PAD_REPLICATE)
        return from < 0 ? 0 : extent - 1;
    return from < 0 ? -from : 2 * (extent - 1) - from; // reflected at the centre of the border element
}

// Whether an axis of `extent` elements can be padded by these counts; *y is its new extent.
static inline bool dit_pad_fits(int64_t extent, int64_t before, int64_t after, dit_pad_mode mode, int64_t *y)
{
    if (before < 0 || after < 0 || (unsigned)mode > DIT_PAD_REFLECT)
        return false;
    if (mode == DIT_PAD_REFLECT && (before || after) && (before >= extent || after >= extent))
        return false;
    if (mode == DIT_PAD_REPLICATE && (before || after) && extent < 1)
        return false;
    return !__builtin_add_overflow(extent, before, y) && !__builtin_add_overflow(*y, after, y);
}

// Writes the index into x of every element of y, in row-major order, or -1, by calling visit(context, y index, x
// index).
static inline void dit_pad_walk(const dit_shape *x, const dit_shape *y, const int64_t *before, dit_pad_mode mode,
                                void (*visit)(void *context, int64_t to, int64_t from), void *context)
{
    int64_t count = dit_shape_count(y);
    for (int64_t n = 0; n < count; n++) {
        int64_t rest = n, from = 0, step = 1;
        for (int i = y->rank - 1; i >= 0; i--) {
            int64_t source = dit_pad_source(rest % y->dim[i], before[i], x->dim[i], mode);
            rest /= y->dim[i];
            from = source < 0 || from < 0 ? -1 : from + source * step;
            step *= x->dim[i];
        }
        visit(context, n, from);
    }
}

#endif
