// train/step.h: one training step as a plan: a batch in, the loss and every parameter's gradient out.
#ifndef DIT_TRAIN_STEP_H
#define DIT_TRAIN_STEP_H

#include "graph/plan.h"
#include "models/model.h"
#include "train/objective.h"
#include "train/optimizer.h"

// What the batch is made of.
typedef struct dit_step_shape {
    int64_t batch, channels, height, width;
    int64_t text_length; // of input_ids; 0 for a model of classes
    bool recompute;      // blocks are computed again in the backward pass: less memory, a third more time
} dit_step_shape;

typedef struct dit_step {
    dit_plan *plan;
    // Inputs, filled before a run; those that the task (train/task.h) does not take are NULL:
    float *pixels, *noise; // (B, C, H, W)
    float *coefficients;   // (B, DIT_COEFFICIENTS)
    float *timestep;       // (B)
    int64_t *labels;       // (B), of a model of classes: its condition, or what it is to say
    int64_t *ids;          // (B, L), of a model of text
    uint8_t *text_mask;    // (B, L)
    // Outputs, one value each:
    const float *loss;
    const float *metric; // the task's; NULL: it has none
} dit_step;

// Declares the parameters of a new model in `weights`, started from `seed`. Fails with DIT_NO_MEMORY when the machine
// cannot hold them with their gradients, moments and `averages` averages.
dit_status dit_step_create_weights(const dit_model_class *class, const void *config, const dit_objective *objective,
                                   const dit_step_shape *shape, uint64_t seed, int averages, dit_weights *weights,
                                   dit_error *error);
// Plans the step over `weights` (f32, borrowed) and points the optimizer's gradients at the plan's.
dit_status dit_step_open(dit_step *step, const dit_model_class *class, const void *config, dit_weights *weights,
                         const dit_objective *objective, const dit_step_shape *shape, dit_optimizer *optimizer,
                         dit_error *error);
void dit_step_close(dit_step *step);

#endif
