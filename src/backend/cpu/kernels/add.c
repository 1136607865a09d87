// backend/cpu/kernels/add.c: y = a + b.
#include "backend/cpu/elementwise.h"

DIT_ARITHMETIC_KERNEL(add, uint32_t, uint64_t, a + b, a + b)
