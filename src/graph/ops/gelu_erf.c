// graph/ops/gelu_erf.c: y = x / 2 * (1 + erf(x / sqrt(2))).
//   x: (...) f32, f16, bf16     y: like x
// Hendrycks and Gimpel 2016 (arXiv 1606.08415), section 2: the exact form.
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    c->din[0] = dit_gelu_erf_backward(g, c->dout[0], c->in[0]);
}

DIT_UNARY_OP(gelu_erf, 0.5 * x * (1 + erf(x * M_SQRT1_2)))
