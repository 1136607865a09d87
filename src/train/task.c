// train/task.c: which task a kind of objective is.
#include "train/task.h"

extern const dit_task dit_task_denoise, dit_task_classify;

static const dit_task *const tasks[] = {
    [DIT_DIFFUSION] = &dit_task_denoise,
    [DIT_FLOW] = &dit_task_denoise,
    [DIT_CLASSIFICATION] = &dit_task_classify,
};

const dit_task *dit_task_of(const dit_objective *objective)
{
    return tasks[objective->process];
}
