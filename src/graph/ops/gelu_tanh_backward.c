// graph/ops/gelu_tanh_backward.c: dx = dy * d gelu_tanh(x) / dx.
// With t = tanh(u), u = sqrt(2 / pi) * (x + 0.044715 x^3): (1 + t) / 2 + x / 2 * (1 - t^2) * du/dx.
//   dy: (...) f32, f16, bf16     x: float, the shape of dy     dx: like dy     No gradient of its own.
#include "graph/elementwise.h"

static double derivative(double x)
{
    double k = sqrt(2 / M_PI), t = tanh(k * (x + 0.044715 * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * k * (1 + 3 * 0.044715 * x * x);
}

DIT_ACTIVATION_BACKWARD_OP(gelu_tanh_backward)
