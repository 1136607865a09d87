// backend/cpu/kernels/gelu_tanh_backward.c: with u = 2 * sqrt(2 / pi) * (x + 0.044715 x^3) and s = sigmoid(u) =
// (1 + tanh(u / 2)) / 2:  dx = dy * (s + x * s * (1 - s) * du/dx).
#include "backend/cpu/elementwise.h"

static inline float derivative(float x)
{
    const float k = 1.5957691216057308f, cubic = 0.044715f; // 2 sqrt(2 / pi)
    float xx = x * x, u = x * (k + k * cubic * xx);
    float e = vexp(-fabsf(u)), r = 1.0f / (1.0f + e); // s (1 - s) = e r^2, without the cancellation in 1 - s
    return (u < 0.0f ? e * r : r) + x * (e * r * r) * (k + 3.0f * k * cubic * xx);
}

DIT_BINARY_KERNEL(gelu_tanh_backward, DIT_COSTLY, derivative(b) * a)
