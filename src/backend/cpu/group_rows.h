// backend/cpu/group_rows.h: where the rows of a group lie.
#ifndef DIT_BACKEND_CPU_GROUP_ROWS_H
#define DIT_BACKEND_CPU_GROUP_ROWS_H

#include "backend/kernel.h"

// How many of the ascending ids (R), i32 or i64 with any stride, are below `group`. Ids that do not ascend give some
// number of 0 ..= R.
static inline int64_t dit_rows_below(const dit_view *groups, int64_t group)
{
    int64_t first = 0, end = groups->shape.dim[0];
    while (first < end) {
        int64_t middle = first + (end - first) / 2, at = middle * groups->stride[0];
        int64_t id =
            groups->dtype == DIT_I32 ? ((const int32_t *)groups->data)[at] : ((const int64_t *)groups->data)[at];
        if (id < group)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

#endif
