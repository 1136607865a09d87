// backend/cpu/ids.h: reading ids that came from outside.
#ifndef DIT_BACKEND_CPU_IDS_H
#define DIT_BACKEND_CPU_IDS_H

#include "backend/kernel.h"

static inline int64_t dit_clamp_id(int64_t id, int64_t count)
{
    return id < 0 ? 0 : id >= count ? count - 1 : id;
}

// The id `at` elements after the first of an i32 or i64 tensor, clamped to 0 ..= count - 1.
static inline int64_t dit_id(const dit_view *ids, int64_t at, int64_t count)
{
    return dit_clamp_id(ids->dtype == DIT_I32 ? ((const int32_t *)ids->data)[at] : ((const int64_t *)ids->data)[at],
                        count);
}

// Where, in a view, the line along `axis` and `other` (the same axis twice: along one) number n begins: lines are
// counted in row-major order of the remaining axes.
static inline int64_t dit_line(const dit_view *view, int axis, int other, int64_t n)
{
    int64_t at = 0;
    for (int i = view->shape.rank - 1; i >= 0; i--)
        if (i != axis && i != other) {
            at += n % view->shape.dim[i] * view->stride[i];
            n /= view->shape.dim[i];
        }
    return at;
}

#endif
