// backend/cpu/kernels/embedding.c: one row of the table copied, or decoded, for each id.
#include "backend/cpu/decode.h"
#include "backend/cpu/ids.h"
#include "backend/cpu/nest.h"
#include <string.h>

static void run(const dit_op_call *call)
{
    const dit_view *table = &call->in[0], *ids = &call->in[1];
    int64_t V = table->shape.dim[0], C = table->shape.dim[1], count = dit_shape_count(&ids->shape);
    size_t bytes = (size_t)dit_row_bytes(table->dtype, C), result = (size_t)C * dit_dtype_size(call->out[0].dtype);
    const bool quantized = dit_dtype_is_quantized(table->dtype); // then y is f32
    const char *rows = table->data;
    char *y = call->out[0].data;
#pragma omp parallel for schedule(static) if (count * (int64_t)bytes >= 4 * DIT_PARALLEL_WORK)
    for (int64_t i = 0; i < count; i++) {
        const char *row = rows + (size_t)dit_id(ids, i, V) * bytes;
        if (quantized)
            dit_decode(table->dtype, row, 0, C, (float *)(void *)(y + (size_t)i * result));
        else
            memcpy(y + (size_t)i * result, row, bytes);
    }
}

DIT_KERNEL(embedding) = {.run = run, .layout = DIT_DENSE, .any_dtype = true, .native_floats = DIT_QUANTIZED};
