// backend/cpu/kernels/relu.c: y = max(x, 0); a NaN stays one.
#include "backend/cpu/elementwise.h"

DIT_UNARY_KERNEL(relu, DIT_CHEAP, x < 0.0f ? 0.0f : x)
