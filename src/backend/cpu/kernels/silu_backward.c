// backend/cpu/kernels/silu_backward.c: dx = dy * s * (1 + x * (1 - s)), s = sigmoid(x).
#include "backend/cpu/elementwise.h"

static inline float derivative(float x)
{
    float s = vsigmoid(x);
    return s * (1.0f + x * (1.0f - s));
}

DIT_BINARY_KERNEL(silu_backward, DIT_COSTLY, derivative(b) * a)
