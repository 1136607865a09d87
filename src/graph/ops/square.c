// graph/ops/square.c: y = x^2.
//   x: (...) f32, f16, bf16     y: like x
// Backward: dx = 2 * dy * x.
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    c->din[0] = dit_mul(g, dit_affine(g, c->dout[0], 2, 0), c->in[0]);
}

DIT_UNARY_OP(square, x *x)
