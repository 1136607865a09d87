// graph/fuse/conv_residual.c: residual + conv(x) becomes one convolution.
#include "graph/fuse/fuse.h"

bool dit_fuse_conv_residual(dit_plan *plan, plan_step *step)
{
    const plan_value *y = &plan->values[step->out];
    int side = step->op == DIT_OP_add && y->dtype == DIT_F32 ? dit_fuse_operand(plan, step, DIT_OP_conv) : -1;
    if (side < 0)
        return false;
    const plan_step *conv = &plan->steps[plan->values[step->in[side]].producer];
    const plan_value *residual = &plan->values[step->in[1 - side]];
    const dit_shape *weight = &plan->values[conv->in[1]].shape;
    const struct dit_conv_attributes *a = conv->attributes;
    if (conv->inputs != 3 || (weight->dim[0] == a->window.groups && weight->dim[1] == 1) ||
        !dit_shape_equal(&residual->shape, &y->shape) || residual->dtype != DIT_F32 ||
        !dit_shape_equal(&plan->values[conv->out].shape, &y->shape))
        return false;
    int in[] = {conv->in[0], conv->in[1], conv->in[2], step->in[1 - side]};
    return dit_fuse_rewrite(plan, step, DIT_OP_conv, in, 4, a, conv->absorbed + 1);
}
