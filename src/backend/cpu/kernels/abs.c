// backend/cpu/kernels/abs.c: y = |x|.
#include "backend/cpu/elementwise.h"

DIT_UNARY_KERNEL(abs, DIT_CHEAP, fabsf(x))
