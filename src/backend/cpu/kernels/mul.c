// backend/cpu/kernels/mul.c: y = a * b.
#include "backend/cpu/elementwise.h"

DIT_ARITHMETIC_KERNEL(mul, uint32_t, uint64_t, (a) * (b), (a) * (b))
