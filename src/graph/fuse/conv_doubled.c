// graph/fuse/conv_doubled.c: the convolution of a picture that was doubled by repeating its pixels becomes one of the
// picture itself: the doubled one is never made.
#include "graph/fuse/fuse.h"

bool dit_fuse_conv_doubled(dit_plan *plan, plan_step *step)
{
    if (step->op != DIT_OP_conv || plan->values[step->out].dtype != DIT_F32)
        return false;
    struct dit_conv_attributes a = *(const struct dit_conv_attributes *)step->attributes;
    const plan_step *resize = dit_fuse_sole(plan, step->in[0], DIT_OP_resize);
    if (!resize || a.doubled || ((const struct dit_resize_attributes *)resize->attributes)->mode != DIT_NEAREST)
        return false;
    const dit_shape *x = &plan->values[resize->in[0]].shape, *y = &plan->values[resize->out].shape;
    if (x->rank != 4 || y->dim[2] != 2 * x->dim[2] || y->dim[3] != 2 * x->dim[3] ||
        plan->values[resize->in[0]].dtype != DIT_F32)
        return false;
    int in[4] = {resize->in[0]};
    for (int i = 1; i < step->inputs; i++)
        in[i] = step->in[i];
    a.doubled = true;
    return dit_fuse_rewrite(plan, step, DIT_OP_conv, in, step->inputs, &a, resize->absorbed + 1);
}
