// graph/ops/copy.c: y = x, dense in memory whatever the strides of x.
//   x: (...) any dtype     y: like x
#include "graph/elementwise.h"

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    (void)g;
    c->din[0] = c->dout[0];
}

static dit_status shape(dit_op_call *call, dit_error *error)
{
    if (dit_is_absent(&call->in[0]))
        return dit_fail(error, DIT_BAD_ARGUMENT, "copy: there is nothing to copy");
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = call->in[0].shape;
    return DIT_OK;
}

DIT_REFERENCE_UNARY(x)

const dit_op dit_op_copy = {.name = "copy", .shape = shape, .gradient = gradient, .reference = reference};

dit_tensor dit_copy(dit_graph *g, dit_tensor x)
{
    return dit_apply(g, DIT_OP_copy, &x, 1, NULL);
}
