// graph/ops/gelu_tanh.c: y = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).
//   x: (...) f32, f16, bf16     y: like x
// Hendrycks and Gimpel 2016 (arXiv 1606.08415), section 2: the approximation.
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    c->din[0] = dit_gelu_tanh_backward(g, c->dout[0], c->in[0]);
}

DIT_UNARY_OP(gelu_tanh, 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))))
