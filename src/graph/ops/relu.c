// graph/ops/relu.c: y = max(x, 0); a NaN stays one.
//   x: (...) f32, f16, bf16     y: like x
// Backward: dy where y > 0, and 0 elsewhere.
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    dit_tensor zero = dit_scalar(g, 0);
    c->din[0] = dit_where(g, dit_less(g, zero, c->out[0]), c->dout[0], zero);
}

DIT_UNARY_OP(relu, x < 0 ? 0 : x)
