// graph/ops/silu_backward.c: dx = dy * d silu(x) / dx. With s = sigmoid(x): s * (1 + x * (1 - s)).
//   dy: (...) f32, f16, bf16     x: float, the shape of dy     dx: like dy     No gradient of its own.
#include "graph/elementwise.h"

static double derivative(double x)
{
    double s = 1 / (1 + exp(-x));
    return s * (1 + x * (1 - s));
}

DIT_ACTIVATION_BACKWARD_OP(silu_backward)
