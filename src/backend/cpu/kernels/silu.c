// backend/cpu/kernels/silu.c: y = x * sigmoid(x).
#include "backend/cpu/elementwise.h"

DIT_UNARY_KERNEL(silu, DIT_COSTLY, vsilu(x))
