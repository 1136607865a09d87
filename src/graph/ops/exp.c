// graph/ops/exp.c: y = e^x.
//   x: (...) f32, f16, bf16     y: like x
// Backward: dx = dy * y.
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    c->din[0] = dit_mul(g, c->dout[0], c->out[0]);
}

DIT_UNARY_OP(exp, exp(x))
