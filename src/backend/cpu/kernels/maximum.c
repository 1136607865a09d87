// backend/cpu/kernels/maximum.c: the larger of a and b; NaN where either is NaN.
#include "backend/cpu/elementwise.h"

static inline float larger(float a, float b)
{
    return ((a > b) | (a != a)) ? a : b;
}

DIT_ARITHMETIC_KERNEL(maximum, int32_t, int64_t, larger(a, b), a > b ? a : b)
