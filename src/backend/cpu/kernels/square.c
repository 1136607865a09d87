// backend/cpu/kernels/square.c: y = x^2.
#include "backend/cpu/elementwise.h"

DIT_UNARY_KERNEL(square, DIT_CHEAP, (x) * (x))
