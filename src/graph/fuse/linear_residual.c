// graph/fuse/linear_residual.c: residual + gate * linear(x), or residual + linear(x), becomes one linear layer.
#include "graph/fuse/fuse.h"

// A gate is (N), or of y's rank with extent 1 on axis -2 and N on the last, and before these either all of y's extents
// or ones only.
static bool is_gate(const dit_shape *gate, const dit_shape *y)
{
    if (gate->rank < 1 || gate->dim[gate->rank - 1] != y->dim[y->rank - 1])
        return false;
    if (gate->rank == 1)
        return true;
    if (gate->rank != y->rank || gate->dim[gate->rank - 2] != 1)
        return false;
    bool ones = true, same = true;
    for (int i = 0; i < gate->rank - 2; i++) {
        ones &= gate->dim[i] == 1;
        same &= gate->dim[i] == y->dim[i];
    }
    return ones || same;
}

bool dit_fuse_linear_residual(dit_plan *plan, plan_step *step)
{
    const dit_shape *y = &plan->values[step->out].shape;
    int gate = 0;
    if (step->op != DIT_OP_add || plan->values[step->out].dtype != DIT_F32)
        return false;
    const plan_step *linear = NULL, *mul = NULL;
    int side = dit_fuse_operand(plan, step, DIT_OP_mul);
    if (side >= 0) {
        mul = &plan->steps[plan->values[step->in[side]].producer];
        int factor = dit_fuse_operand(plan, mul, DIT_OP_linear);
        if (factor < 0)
            return false;
        linear = &plan->steps[plan->values[mul->in[factor]].producer];
        gate = mul->in[1 - factor];
        if (!is_gate(&plan->values[gate].shape, y) || plan->values[gate].dtype != DIT_F32)
            return false;
    } else if ((side = dit_fuse_operand(plan, step, DIT_OP_linear)) >= 0) {
        linear = &plan->steps[plan->values[step->in[side]].producer];
    }
    if (!linear || linear->inputs != 3 || !dit_shape_equal(&plan->values[linear->out].shape, y))
        return false;
    int residual = step->in[1 - side];
    if (!dit_shape_equal(&plan->values[residual].shape, y) || plan->values[residual].dtype != DIT_F32)
        return false;
    int in[] = {linear->in[0], linear->in[1], linear->in[2], gate, residual};
    return dit_fuse_rewrite(plan, step, DIT_OP_linear, in, 5, linear->attributes, linear->absorbed + (mul ? 2 : 1));
}
