// backend/cpu/ids.h: reading ids that came from outside.
#ifndef DIT_BACKEND_CPU_IDS_H
#define DIT_BACKEND_CPU_IDS_H

#include "backend/kernel.h"

// Id number i of a dense i32 or i64 tensor, clamped to 0 ..= count - 1.
static inline int64_t dit_id(const dit_view *ids, int64_t i, int64_t count)
{
    int64_t id = ids->dtype == DIT_I32 ? ((const int32_t *)ids->data)[i] : ((const int64_t *)ids->data)[i];
    return id < 0 ? 0 : id >= count ? count - 1 : id;
}

#endif
