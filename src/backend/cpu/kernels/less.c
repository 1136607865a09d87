// backend/cpu/kernels/less.c: y = (a < b).
#include "backend/cpu/elementwise.h"

DIT_COMPARISON_KERNEL(less, a < b)
