// graph/fuse/conv_activation.c: activation(conv(x)) becomes one convolution whose epilogue applies the activation.
#include "graph/activation.h"
#include "graph/fuse/fuse.h"

bool dit_fuse_conv_activation(dit_plan *plan, plan_step *step)
{
    dit_activation activation = dit_activation_of(step->op);
    const plan_step *conv = activation ? dit_fuse_sole(plan, step->in[0], DIT_OP_conv) : NULL;
    if (!conv || conv->inputs != 3)
        return false;
    struct dit_conv_attributes a = *(const struct dit_conv_attributes *)conv->attributes;
    if (a.activation)
        return false;
    a.activation = activation;
    return dit_fuse_rewrite(plan, step, DIT_OP_conv, conv->in, 3, &a, conv->absorbed + 1);
}
