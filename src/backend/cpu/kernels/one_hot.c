// backend/cpu/kernels/one_hot.c: zeros, and a one in each row.
#include "backend/cpu/ids.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/nest.h"
#include <string.h>

static void run(const dit_op_call *call)
{
    const struct dit_one_hot_attributes *a = call->attributes;
    const dit_view *ids = &call->in[0];
    int64_t count = dit_shape_count(&ids->shape);
    float *y = call->out[0].data;
#pragma omp parallel for schedule(static) if (count * a->classes >= DIT_PARALLEL_WORK)
    for (int64_t i = 0; i < count; i++) {
        memset(y + i * a->classes, 0, (size_t)a->classes * sizeof *y);
        y[i * a->classes + dit_id(ids, i, a->classes)] = 1;
    }
}

DIT_KERNEL(one_hot) = {.run = run, .layout = DIT_DENSE};
