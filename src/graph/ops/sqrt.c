// graph/ops/sqrt.c: y = sqrt(x).
//   x: (...) f32, f16, bf16     y: like x
// Backward: dx = dy / (2 * y).
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    c->din[0] = dit_div(g, dit_affine(g, c->dout[0], 0.5f, 0), c->out[0]);
}

DIT_UNARY_OP(sqrt, sqrt(x))
