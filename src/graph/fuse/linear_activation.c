// graph/fuse/linear_activation.c: activation(linear(x)) becomes one linear layer whose epilogue applies the activation.
#include "graph/fuse/fuse.h"

static dit_activation activation_of(dit_op_id op)
{
    switch (op) {
    case DIT_OP_silu:
        return DIT_SILU;
    case DIT_OP_gelu_tanh:
        return DIT_GELU_TANH;
    case DIT_OP_gelu_erf:
        return DIT_GELU_ERF;
    case DIT_OP_relu:
        return DIT_RELU;
    default:
        return DIT_NO_ACTIVATION;
    }
}

bool dit_fuse_linear_activation(dit_plan *plan, plan_step *step)
{
    struct dit_linear_attributes a = {activation_of(step->op)};
    if (a.activation == DIT_NO_ACTIVATION)
        return false;
    const plan_step *linear = dit_fuse_sole(plan, step->in[0], DIT_OP_linear);
    if (!linear || linear->inputs != 3 ||
        ((const struct dit_linear_attributes *)linear->attributes)->activation != DIT_NO_ACTIVATION)
        return false;
    return dit_fuse_rewrite(plan, step, DIT_OP_linear, linear->in, 3, &a, linear->absorbed + 1);
}
