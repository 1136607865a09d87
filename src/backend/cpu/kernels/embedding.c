// backend/cpu/kernels/embedding.c: one row of the table copied for each id.
#include "backend/cpu/ids.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/nest.h"
#include <string.h>

static void run(const dit_op_call *call)
{
    const dit_view *table = &call->in[0], *ids = &call->in[1];
    int64_t V = table->shape.dim[0], count = dit_shape_count(&ids->shape);
    size_t bytes = (size_t)table->shape.dim[1] * dit_dtype_size(table->dtype);
    const char *rows = table->data;
    char *y = call->out[0].data;
#pragma omp parallel for schedule(static) if (count * (int64_t)bytes >= 4 * DIT_PARALLEL_WORK)
    for (int64_t i = 0; i < count; i++)
        memcpy(y + (size_t)i * bytes, rows + (size_t)dit_id(ids, i, V) * bytes, bytes);
}

DIT_KERNEL(embedding) = {.run = run, .layout = DIT_DENSE, .any_dtype = true};
