// backend/cpu/kernels/log.c: y = ln(x).
#include "backend/cpu/elementwise.h"

DIT_UNARY_KERNEL(log, DIT_COSTLY, vlog(x))
