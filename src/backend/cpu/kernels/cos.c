// backend/cpu/kernels/cos.c: y = cos(x).
#include "backend/cpu/elementwise.h"

DIT_UNARY_KERNEL(cos, DIT_COSTLY, vcos(x))
