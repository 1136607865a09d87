// backend/cpu/kernels/gelu_tanh_backward.c: with u = sqrt(2 / pi) * (x + 0.044715 x^3) and s = (1 + tanh(u)) / 2 =
// sigmoid(2 u):  dx = dy * (s + x * s * (1 - s) * 2 du/dx).
#include "backend/cpu/elementwise.h"

static inline float derivative(float x)
{
    const float k = 1.5957691216057308f, cubic = 0.044715f; // 2 sqrt(2 / pi)
    float xx = x * x, s = vsigmoid(x * (k + k * cubic * xx));
    return s + x * s * (1.0f - s) * (k + 3.0f * k * cubic * xx);
}

DIT_BINARY_KERNEL(gelu_tanh_backward, DIT_COSTLY, derivative(b) * a)
