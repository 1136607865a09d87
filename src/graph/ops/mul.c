// graph/ops/mul.c: y = a * b.
//   a, b: f32, f16, bf16 in any mixture, or both i32, or both i64 (wraps around)     y: the broadcast shape, dtype of a
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    if (c->wanted[0])
        dit_give_gradient(g, c, 0, dit_mul(g, c->dout[0], c->in[1]));
    if (c->wanted[1])
        dit_give_gradient(g, c, 1, dit_mul(g, c->dout[0], c->in[0]));
}

DIT_ARITHMETIC_OP(mul, true, a *b)
