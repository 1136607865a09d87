// backend/cpu/kernels/sqrt.c: y = sqrt(x).
#include "backend/cpu/elementwise.h"

DIT_UNARY_KERNEL(sqrt, DIT_CHEAP, sqrtf(x))
