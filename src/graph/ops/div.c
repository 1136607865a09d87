// graph/ops/div.c: y = a / b.
//   a, b: f32, f16, bf16 in any mixture     y: the broadcast shape, dtype of a
// Backward: da = dy / b, db = -dy * a / b^2 = -(dy / b) * y.
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    dit_tensor quotient = dit_div(g, c->dout[0], c->in[1]);
    if (c->wanted[0])
        dit_give_gradient(g, c, 0, quotient);
    if (c->wanted[1]) {
        dit_give_gradient(g, c, 1, dit_mul(g, quotient, c->out[0]));
        c->din[1] = dit_affine(g, c->din[1], -1, 0);
    }
}

DIT_ARITHMETIC_OP(div, false, a / b)
