// backend/cpu/kernels/gelu_erf_backward.c: dx = dy * ((1 + erf(x / sqrt(2))) / 2 + x * exp(-x^2 / 2) / sqrt(2 pi)).
#include "backend/cpu/elementwise.h"

static inline __attribute__((always_inline)) float derivative(float x)
{
    return 0.5f + 0.5f * verf(x * 0.70710678118654752f) + x * vexp(-0.5f * x * x) * 0.39894228040143268f;
}

DIT_BINARY_KERNEL(gelu_erf_backward, DIT_COSTLY, derivative(b) * a)
