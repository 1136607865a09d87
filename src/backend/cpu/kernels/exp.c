// backend/cpu/kernels/exp.c: y = e^x.
#include "backend/cpu/elementwise.h"

DIT_UNARY_KERNEL(exp, DIT_COSTLY, vexp(x))
