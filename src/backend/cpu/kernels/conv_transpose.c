// backend/cpu/kernels/conv_transpose.c: the transposed convolution is the input's gradient of the convolution that it
// turns around: see conv_input.c.
#include "backend/cpu/conv_input.h"

enum { X, WEIGHT, BIAS };

static dit_conv_geometry geometry_of(const dit_op_call *call)
{
    const struct dit_conv_transpose_attributes *a = call->attributes;
    return dit_conv_geometry_of(&call->out[0].shape, &call->in[WEIGHT].shape, &call->in[X].shape, &a->window);
}

static void run(const dit_op_call *call)
{
    dit_conv_geometry c = geometry_of(call);
    const float *bias = dit_is_absent(&call->in[BIAS]) ? NULL : call->in[BIAS].data;
    dit_conv_input(&c, call->in[X].data, call->in[WEIGHT].data, bias, call->out[0].data, call->workspace);
}

static size_t workspace(const dit_op_call *call)
{
    dit_conv_geometry c = geometry_of(call);
    return dit_conv_input_workspace(&c);
}

DIT_KERNEL(conv_transpose) = {
    .run = run,
    .workspace = workspace,
    .layout = DIT_DENSE,
};
