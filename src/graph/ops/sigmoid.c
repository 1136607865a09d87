// graph/ops/sigmoid.c: y = 1 / (1 + e^-x).
//   x: (...) f32, f16, bf16     y: like x
// Backward: dx = dy * y * (1 - y).
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    c->din[0] = dit_mul(g, dit_mul(g, c->dout[0], c->out[0]), dit_affine(g, dit_in_f32(g, c->out[0]), -1, 1));
}

DIT_UNARY_OP(sigmoid, 1 / (1 + exp(-x)))
