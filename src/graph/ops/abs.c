// graph/ops/abs.c: y = |x|.
//   x: (...) f32, f16, bf16     y: like x
// Backward: dy * sign(x), 0 where x is 0.
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    dit_tensor dy = c->dout[0], zero = dit_scalar(g, 0);
    dit_tensor positive = dit_less(g, zero, c->in[0]), negative = dit_less(g, c->in[0], zero);
    c->din[0] = dit_where(g, positive, dy, dit_where(g, negative, dit_affine(g, dy, -1, 0), zero));
}

DIT_UNARY_OP(abs, fabs(x))
