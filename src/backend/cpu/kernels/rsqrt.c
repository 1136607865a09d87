// backend/cpu/kernels/rsqrt.c: y = 1 / sqrt(x).
#include "backend/cpu/elementwise.h"

DIT_UNARY_KERNEL(rsqrt, DIT_CHEAP, 1.0f / sqrtf(x))
