// backend/cpu/kernels/gelu_erf.c: GELU.
#include "backend/cpu/elementwise.h"

DIT_UNARY_KERNEL(gelu_erf, DIT_COSTLY, vgelu_erf(x))
