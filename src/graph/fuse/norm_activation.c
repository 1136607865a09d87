// graph/fuse/norm_activation.c: activation(group_norm(x)) becomes one pass over x.
#include "graph/activation.h"
#include "graph/fuse/fuse.h"

bool dit_fuse_norm_activation(dit_plan *plan, plan_step *step)
{
    dit_activation activation = dit_activation_of(step->op);
    const plan_step *norm = activation ? dit_fuse_sole(plan, step->in[0], DIT_OP_group_norm) : NULL;
    if (!norm)
        return false;
    struct dit_group_norm_attributes a = *(const struct dit_group_norm_attributes *)norm->attributes;
    if (a.activation)
        return false;
    a.activation = activation;
    return dit_fuse_rewrite(plan, step, DIT_OP_group_norm, norm->in, norm->inputs, &a, norm->absorbed + 1);
}
