// graph/ops/maximum.c: the larger of a and b; a NaN in either gives NaN.
//   a, b: f32, f16, bf16 in any mixture, or both i32, or both i64     y: the broadcast shape, dtype of a
// Backward: the gradient goes to the larger one; two equal ones have half each, as in torch.
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    dit_tensor dy = c->dout[0], zero = dit_scalar(g, 0);
    dit_tensor tie = dit_equal(g, c->in[0], c->in[1]), half = dit_affine(g, dy, 0.5f, 0);
    for (int k = 0; k < 2; k++)
        if (c->wanted[k]) {
            dit_tensor chosen = dit_less(g, c->in[1 - k], c->in[k]);
            dit_give_gradient(g, c, k, dit_where(g, tie, half, dit_where(g, chosen, dy, zero)));
        }
}

DIT_ARITHMETIC_OP(maximum, true, a > b || isnan(a) ? a : b)
