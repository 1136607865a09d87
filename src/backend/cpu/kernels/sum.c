// backend/cpu/kernels/sum.c: the sum over some axes.
#include "backend/cpu/sum_loops.h"

static size_t workspace(const dit_op_call *call)
{
    return dit_reduce_workspace(call, ((const struct dit_sum_attributes *)call->attributes)->axes);
}

static void run(const dit_op_call *call)
{
    dit_reduce_run(call, ((const struct dit_sum_attributes *)call->attributes)->axes, &dit_sum_reduction, 1);
}

DIT_KERNEL(sum) = {.run = run, .workspace = workspace, .layout = DIT_ANY_STRIDES};
