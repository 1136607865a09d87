// backend/cpu/kernels/sub.c: y = a - b.
#include "backend/cpu/elementwise.h"

DIT_ARITHMETIC_KERNEL(sub, uint32_t, uint64_t, a - b, a - b)
