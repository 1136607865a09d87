// graph/ops/sub.c: y = a - b.
//   a, b: f32, f16, bf16 in any mixture, or both i32, or both i64 (wraps around)     y: the broadcast shape, dtype of a
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    if (c->wanted[0])
        dit_give_gradient(g, c, 0, c->dout[0]);
    if (c->wanted[1]) {
        dit_give_gradient(g, c, 1, c->dout[0]);
        c->din[1] = dit_affine(g, c->din[1], -1, 0); // after the sum, where there is less to do
    }
}

DIT_ARITHMETIC_OP(sub, true, a - b)
