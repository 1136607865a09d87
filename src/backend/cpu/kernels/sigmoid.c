// backend/cpu/kernels/sigmoid.c: y = 1 / (1 + e^-x).
#include "backend/cpu/elementwise.h"

DIT_UNARY_KERNEL(sigmoid, DIT_COSTLY, vsigmoid(x))
