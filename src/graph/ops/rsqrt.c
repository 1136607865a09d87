// graph/ops/rsqrt.c: y = 1 / sqrt(x).
//   x: (...) f32, f16, bf16     y: like x
// Backward: dx = -dy * y^3 / 2.
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    dit_tensor cube = dit_mul(g, dit_square(g, dit_in_f32(g, c->out[0])), c->out[0]);
    c->din[0] = dit_mul(g, dit_affine(g, c->dout[0], -0.5f, 0), cube);
}

DIT_UNARY_OP(rsqrt, 1 / sqrt(x))
