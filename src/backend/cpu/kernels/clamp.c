// backend/cpu/kernels/clamp.c: y = min(max(x, low), high); a NaN stays one.
#include "backend/cpu/elementwise.h"

static inline float clamped(float x, float low, float high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

DIT_UNARY_LOOP(loop, struct dit_clamp_attributes, clamped(x, a->low, a->high))

static void run(const dit_op_call *call)
{
    dit_run_floats(call, DIT_CHEAP, loop);
}

DIT_ELEMENTWISE_KERNEL(clamp, 1);
