// train/batch.h: what one batch of samples puts into the inputs of a training step.
#ifndef DIT_TRAIN_BATCH_H
#define DIT_TRAIN_BATCH_H

#include "train/loader.h"
#include "train/recipe.h"
#include "train/step.h"
#include "train/text_condition.h"

// Fills every input that `step` has for the batch: pictures, noise, times, conditions, some of them dropped. What
// chance decides depends on the seed and the position of each sample in the run's endless sequence. `text` is NULL for
// a model of classes, whose null label is `classes`. Fails as dit_text_condition_encode, naming the sample.
dit_status dit_batch_fill(dit_step *step, const dit_step_shape *shape, const dit_recipe *recipe, const dit_dataset *set,
                          const dit_batch *batch, const dit_text_condition *text, int classes, dit_error *error);

#endif
