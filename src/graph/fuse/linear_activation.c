// graph/fuse/linear_activation.c: activation(linear(x)) becomes one linear layer whose epilogue applies the activation.
#include "graph/activation.h"
#include "graph/fuse/fuse.h"

bool dit_fuse_linear_activation(dit_plan *plan, plan_step *step)
{
    struct dit_linear_attributes a = {dit_activation_of(step->op)};
    if (a.activation == DIT_NO_ACTIVATION)
        return false;
    const plan_step *linear = dit_fuse_sole(plan, step->in[0], DIT_OP_linear);
    if (!linear || linear->inputs != 3 ||
        ((const struct dit_linear_attributes *)linear->attributes)->activation != DIT_NO_ACTIVATION)
        return false;
    return dit_fuse_rewrite(plan, step, DIT_OP_linear, linear->in, 3, &a, linear->absorbed + 1);
}
