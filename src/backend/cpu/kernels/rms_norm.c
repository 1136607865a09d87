// backend/cpu/kernels/rms_norm.c: y = x / sqrt(mean(x^2) + eps) * weight, over the last axis.
#include "backend/cpu/nest.h"
#include "backend/cpu/norm_row.h"

static void rows(const dit_row *row, const void *context)
{
    const dit_op_call *call = context;
    const struct dit_rms_norm_attributes *a = call->attributes;
    int64_t C = call->in[0].shape.dim[call->in[0].shape.rank - 1];
    for (int64_t r = 0; r < row->n; r++) {
        float *y = (float *)(void *)(row->at[0] + r * row->stride[0]);
        const float *x = (const float *)(void *)(row->at[1] + r * row->stride[1]);
        dit_row_normalise(y, x, dit_rms_moments(x, C, a->eps), dit_floats_or_null(&call->in[1]), NULL, C);
    }
}

static void run(const dit_op_call *call)
{
    const dit_view *operand[] = {&call->out[0], &call->in[0]};
    dit_nest nest = dit_nest_of_rows(operand, 2);
    dit_nest_run(&nest, call->in[0].shape.dim[call->in[0].shape.rank - 1], rows, call);
}

DIT_KERNEL(rms_norm) = {.run = run, .layout = DIT_ROWS, .in_place = 1};
