// backend/cpu/kernels/silu_backward.c: dx = dy * (s + x * s * (1 - s)), s = sigmoid(x).
#include "backend/cpu/elementwise.h"

static inline float derivative(float x)
{
    float e = vexp(-fabsf(x)), r = 1.0f / (1.0f + e); // s (1 - s) = e r^2, without the cancellation in 1 - s
    return (x < 0.0f ? e * r : r) + x * (e * r * r);
}

DIT_BINARY_KERNEL(silu_backward, DIT_COSTLY, derivative(b) * a)
