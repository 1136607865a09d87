// graph/ops/less.c: y = (a < b); false when either is NaN.
//   a, b: f32, f16, bf16 in any mixture, or both of one other dtype     y: bool, the broadcast shape     No gradient.
#include "graph/elementwise.h"

DIT_COMPARISON_OP(less, a < b)
