// backend/cpu/kernels/mean.c: the mean over some axes; of nothing, NaN.
#include "backend/cpu/sum_loops.h"

static size_t workspace(const dit_op_call *call)
{
    return dit_reduce_workspace(call, ((const struct dit_mean_attributes *)call->attributes)->axes);
}

static void run(const dit_op_call *call)
{
    const struct dit_mean_attributes *a = call->attributes;
    double count = 1;
    for (int i = 0; i < call->in[0].shape.rank; i++)
        if (a->axes >> i & 1)
            count *= (double)call->in[0].shape.dim[i];
    dit_reduce_run(call, a->axes, &dit_sum_reduction, 1 / count);
}

DIT_KERNEL(mean) = {.run = run, .workspace = workspace, .layout = DIT_ANY_STRIDES};
