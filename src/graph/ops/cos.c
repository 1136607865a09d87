// graph/ops/cos.c: y = cos(x), x in radians.
//   x: (...) f32, f16, bf16     y: like x
// Backward: dx = -dy * sin(x).
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    c->din[0] = dit_mul(g, dit_affine(g, c->dout[0], -1, 0), dit_sin(g, dit_in_f32(g, c->in[0])));
}

DIT_UNARY_OP(cos, cos(x))
