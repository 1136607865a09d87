// graph/ops/gelu_erf_backward.c: dx = dy * d gelu_erf(x) / dx.
// (1 + erf(x / sqrt(2))) / 2 + x * exp(-x^2 / 2) / sqrt(2 pi).
//   dy: (...) f32, f16, bf16     x: float, the shape of dy     dx: like dy     No gradient of its own.
#include "graph/elementwise.h"

static double derivative(double x)
{
    return 0.5 * (1 + erf(x * M_SQRT1_2)) + x * exp(-0.5 * x * x) / sqrt(2 * M_PI);
}

DIT_ACTIVATION_BACKWARD_OP(gelu_erf_backward)
