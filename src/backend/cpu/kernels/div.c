// backend/cpu/kernels/div.c: y = a / b.
#include "backend/cpu/elementwise.h"

DIT_BINARY_KERNEL(div, DIT_CHEAP, a / b)
