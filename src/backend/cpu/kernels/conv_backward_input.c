// backend/cpu/kernels/conv_backward_input.c: see conv_input.c.
#include "backend/cpu/conv_input.h"

enum { DY, WEIGHT };

static dit_conv_geometry geometry_of(const dit_op_call *call)
{
    const struct dit_conv_backward_input_attributes *a = call->attributes;
    return dit_conv_geometry_of(&a->x, &call->in[WEIGHT].shape, &call->in[DY].shape, &a->window);
}

static void run(const dit_op_call *call)
{
    dit_conv_geometry c = geometry_of(call);
    dit_conv_input(&c, call->in[DY].data, call->in[WEIGHT].data, NULL, call->out[0].data, call->workspace);
}

static size_t workspace(const dit_op_call *call)
{
    dit_conv_geometry c = geometry_of(call);
    return dit_conv_input_workspace(&c);
}

DIT_KERNEL(conv_backward_input) = {
    .run = run,
    .workspace = workspace,
    .layout = DIT_DENSE,
};
