// graph/fuse/norm_modulate.c: norm(x) * (1 + scale) + shift, as adaptive layer norm describes it, becomes one pass over
// x. Peebles and Xie 2023 (arXiv 2212.09748), section 3.2.
#include "graph/fuse/fuse.h"

// Scale and shift vary over the last axis and the outermost ones, not along axis -2: (..., 1, C) or (C).
static bool is_modulation(const plan_value *v, const dit_shape *y)
{
    int rank = v->shape.rank;
    if (v->dtype != DIT_F32 || rank < 1 || rank > y->rank || v->shape.dim[rank - 1] != y->dim[y->rank - 1])
        return false;
    return rank == 1 || v->shape.dim[rank - 2] == 1;
}

// The norm without affine parts that makes `value`, with its eps.
static const plan_step *plain_norm(const dit_plan *plan, int value, struct dit_norm_modulate_attributes *a)
{
    const plan_step *norm = dit_fuse_sole(plan, value, DIT_OP_layer_norm);
    if (norm && !norm->in[1] && !norm->in[2]) {
        *a = (struct dit_norm_modulate_attributes){
            .eps = ((const struct dit_layer_norm_attributes *)norm->attributes)->eps, .rms = false};
        return norm;
    }
    norm = dit_fuse_sole(plan, value, DIT_OP_rms_norm);
    if (norm && !norm->in[1]) {
        *a = (struct dit_norm_modulate_attributes){
            .eps = ((const struct dit_rms_norm_attributes *)norm->attributes)->eps, .rms = true};
        return norm;
    }
    return NULL;
}

bool dit_fuse_norm_modulate(dit_plan *plan, plan_step *step)
{
    const dit_shape *y = &plan->values[step->out].shape;
    struct dit_norm_modulate_attributes a;
    int product = step->op == DIT_OP_add ? dit_fuse_operand(plan, step, DIT_OP_mul) : -1;
    if (product < 0)
        return false;
    const plan_step *mul = &plan->steps[plan->values[step->in[product]].producer];
    int shift = step->in[1 - product];
    for (int side = 0; side < 2; side++) {
        const plan_step *norm = plain_norm(plan, mul->in[side], &a);
        const plan_step *affine = dit_fuse_sole(plan, mul->in[1 - side], DIT_OP_affine);
        if (!norm || !affine)
            continue;
        const struct dit_affine_attributes *one_plus = affine->attributes;
        if (one_plus->scale != 1 || one_plus->shift != 1 || !is_modulation(&plan->values[affine->in[0]], y) ||
            !is_modulation(&plan->values[shift], y) || !dit_shape_equal(&plan->values[norm->in[0]].shape, y))
            continue;
        int in[] = {norm->in[0], affine->in[0], shift};
        return dit_fuse_rewrite(plan, step, DIT_OP_norm_modulate, in, 3, &a, 3);
    }
    return false;
}
