// train/task.h: what a training step asks of a network: which values of a batch it takes, and its loss. To denoise is
// one task, to classify another. A new one is a file train/task_NAME.c that defines `const dit_task dit_task_NAME`, and
// its row in train/task.c.
#ifndef DIT_TRAIN_TASK_H
#define DIT_TRAIN_TASK_H

#include "models/model.h"
#include "train/objective.h"
#include "train/step.h"

typedef struct dit_task {
    const char *metric; // a further scalar that `describe` declares as an output of this name, for the log; or NULL
    // Declares the inputs that it needs, by the names that dit_step gives them, describes the network over them, and
    // returns the loss, a scalar.
    dit_tensor (*describe)(dit_graph *g, const dit_model_class *class, const void *config,
                           const dit_objective *objective, const dit_step_shape *shape);
} dit_task;

// The task that the objective's kind stands for.
const dit_task *dit_task_of(const dit_objective *objective);

#endif
