// graph/ops/silu.c: y = x * sigmoid(x). Also called swish.
//   x: (...) f32, f16, bf16     y: like x
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    c->din[0] = dit_silu_backward(g, c->dout[0], c->in[0]);
}

DIT_UNARY_OP(silu, x / (1 + exp(-x)))
