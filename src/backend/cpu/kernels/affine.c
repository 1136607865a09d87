// backend/cpu/kernels/affine.c: y = x * scale + shift.
#include "backend/cpu/elementwise.h"

DIT_UNARY_LOOP(loop, struct dit_affine_attributes, x * a->scale + a->shift)

static void run(const dit_op_call *call)
{
    dit_run_floats(call, DIT_CHEAP, loop);
}

DIT_ELEMENTWISE_KERNEL(affine, 1);
