// train/checkpoint.h: the whole state of a training run in one file, whole or not at all, so that a run goes on bit for
// bit.
//
// FOLDER/checkpoint-00001000.safetensors holds for every parameter NAME the tensors weight/NAME, m/NAME, v/NAME and
// ema0/NAME, ema1/NAME, ..., and in its metadata the number of steps taken. Everything random is a function of seed and
// step.
#ifndef DIT_TRAIN_CHECKPOINT_H
#define DIT_TRAIN_CHECKPOINT_H

#include "train/optimizer.h"

// Writes the state after `o->steps` steps, then removes all but the newest two up to there. `identity` is kept in the
// metadata (train/identity.h).
dit_status dit_checkpoint_save(const char *folder, const dit_optimizer *o, const char *identity, dit_error *error);

// Loads the newest checkpoint that is whole into weights, moments and averages, and sets o->steps; leaves everything as
// it is (and *found false) when the folder has none. Newer ones that are damaged are passed over: `damage` then says
// what is wrong with the newest. When all are damaged that is the error, DIT_BAD_FILE. A checkpoint of another model or
// another `identity` is DIT_BAD_FILE at once.
dit_status dit_checkpoint_load(const char *folder, dit_optimizer *o, const char *identity, bool *found,
                               dit_error *damage, dit_error *error);

#endif
