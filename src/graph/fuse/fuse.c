// graph/fuse/fuse.c: applies the rules, and what they share.
#include "graph/fuse/fuse.h"
#include <string.h>

typedef bool (*rule)(dit_plan *plan, plan_step *step);

static const rule rules[] = {
#define FUSE(name) dit_fuse_##name,
#include "graph/fuse/fuse.def"
};

void dit_plan_fuse(dit_plan *plan)
{
    for (int s = 0; s < plan->step_count; s++)
        for (size_t r = 0; r < sizeof rules / sizeof *rules; r++)
            if (rules[r](plan, &plan->steps[s]))
                r = (size_t)-1; // what came of it may fuse further
    dit_plan_count_uses(plan);
}

plan_step *dit_fuse_sole(const dit_plan *plan, int value, dit_op_id op)
{
    const plan_value *v = &plan->values[value];
    if (!value || v->producer < 0 || v->uses != 1 || v->output || v->dtype != DIT_F32)
        return NULL;
    plan_step *step = &plan->steps[v->producer];
    if (step->op != op || step->out != value)
        return NULL;
    for (int k = 1; k < step->outputs; k++)
        if (plan->values[step->out + k].uses)
            return NULL;
    return step;
}

int dit_fuse_operand(const dit_plan *plan, const plan_step *step, dit_op_id op)
{
    for (int i = 0; i < 2; i++)
        if (dit_fuse_sole(plan, step->in[i], op))
            return i;
    return -1;
}

bool dit_fuse_rewrite(dit_plan *plan, plan_step *step, dit_op_id op, const int *in, int inputs, const void *attributes,
                      int absorbed)
{
    size_t bytes = dit_op_of(op)->attribute_bytes;
    int *kept_in = dit_arena_alloc(plan->arena, (size_t)inputs * sizeof *kept_in);
    void *kept = dit_arena_alloc(plan->arena, bytes + 1);
    if (!kept_in || !kept)
        return false;
    memcpy(kept_in, in, (size_t)inputs * sizeof *kept_in);
    memcpy(kept, attributes, bytes);
    step->op = op;
    step->in = kept_in;
    step->inputs = inputs;
    step->attributes = kept;
    step->absorbed += absorbed;
    return true;
}
