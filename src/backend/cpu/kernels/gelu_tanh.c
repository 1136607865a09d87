// backend/cpu/kernels/gelu_tanh.c: the tanh approximation of GELU.
#include "backend/cpu/elementwise.h"

DIT_UNARY_KERNEL(gelu_tanh, DIT_COSTLY, vgelu_tanh(x))
