// backend/cpu/kernels/sin.c: y = sin(x).
#include "backend/cpu/elementwise.h"

DIT_UNARY_KERNEL(sin, DIT_COSTLY, vsin(x))
