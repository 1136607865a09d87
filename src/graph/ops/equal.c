// graph/ops/equal.c: y = (a == b); a NaN equals nothing.
//   a, b: f32, f16, bf16 in any mixture, or both of one other dtype     y: bool, the broadcast shape     No gradient.
#include "graph/elementwise.h"

DIT_COMPARISON_OP(equal, a == b)
