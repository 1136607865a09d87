// backend/cpu/kernels/tanh.c: y = tanh(x).
#include "backend/cpu/elementwise.h"

DIT_UNARY_KERNEL(tanh, DIT_COSTLY, vtanh(x))
