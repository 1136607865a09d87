// backend/cpu/kernels/equal.c: y = (a == b).
#include "backend/cpu/elementwise.h"

DIT_COMPARISON_KERNEL(equal, a == b)
