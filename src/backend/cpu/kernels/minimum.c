// backend/cpu/kernels/minimum.c: the smaller of a and b; NaN where either is NaN.
#include "backend/cpu/elementwise.h"

static inline float smaller(float a, float b)
{
    return ((a < b) | (a != a)) ? a : b;
}

DIT_ARITHMETIC_KERNEL(minimum, int32_t, int64_t, smaller(a, b), a < b ? a : b)
