// graph/ops/tanh.c: y = tanh(x).
//   x: (...) f32, f16, bf16     y: like x
// Backward: dx = dy * (1 - y^2).
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    c->din[0] = dit_mul(g, c->dout[0], dit_affine(g, dit_square(g, dit_in_f32(g, c->out[0])), -1, 1));
}

DIT_UNARY_OP(tanh, tanh(x))
