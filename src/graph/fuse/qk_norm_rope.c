// graph/fuse/qk_norm_rope.c: rope(rms_norm(x)) over the head axis becomes one pass over x.
#include "graph/fuse/fuse.h"

bool dit_fuse_qk_norm_rope(dit_plan *plan, plan_step *step)
{
    if (step->op != DIT_OP_rope)
        return false;
    const struct dit_rope_attributes *rope = step->attributes;
    const plan_step *norm = dit_fuse_sole(plan, step->in[0], DIT_OP_rms_norm);
    if (!norm || rope->inverse)
        return false;
    struct dit_qk_norm_rope_attributes a = {.eps = ((const struct dit_rms_norm_attributes *)norm->attributes)->eps,
                                            .interleaved = rope->interleaved};
    int in[] = {norm->in[0], norm->in[1], step->in[1]};
    return dit_fuse_rewrite(plan, step, DIT_OP_qk_norm_rope, in, 3, &a, 1);
}
