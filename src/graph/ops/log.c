// graph/ops/log.c: y = ln(x).
//   x: (...) f32, f16, bf16     y: like x
// Backward: dx = dy / x.
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    c->din[0] = dit_div(g, c->dout[0], c->in[0]);
}

DIT_UNARY_OP(log, log(x))
