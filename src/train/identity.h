// train/identity.h: what must be the same for a run to go on from its checkpoint: everything that decides what is
// learned. What only decides how (length, learning rate, optimizer, checkpoints, samples) may change between stops.
#ifndef DIT_TRAIN_IDENTITY_H
#define DIT_TRAIN_IDENTITY_H

#include "train/dataset.h"
#include "train/recipe.h"

// Lines of "key value", malloc'd; NULL when memory is out. Kept in every checkpoint.
char *dit_identity_of(const dit_recipe *recipe, const dit_dataset *set);

// Fails with DIT_BAD_FILE, naming the first key that differs, unless both are the same. `saved` comes from a file.
dit_status dit_identity_check(const char *path, const char *saved, const char *now, dit_error *error);

#endif
