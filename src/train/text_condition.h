// train/text_condition.h: captions as token ids, with a vocabulary learned from the training set.
#ifndef DIT_TRAIN_TEXT_CONDITION_H
#define DIT_TRAIN_TEXT_CONDITION_H

#include "train/dataset.h"
#include "train/recipe.h"

typedef struct dit_text_condition dit_text_condition;

// Opens FOLDER/tokenizer.json. When it is not there it is made first, so that a run keeps its vocabulary: that of the
// model which recipe->model.start names, or recipe->model.vocabulary tokens learned from the captions and keywords of
// the set.
dit_status dit_text_condition_open(dit_text_condition **text, const dit_dataset *set, const char *folder,
                                   const dit_recipe *recipe, dit_error *error);
// Removes the vocabulary if opening has made it: the run could not begin. `text` may be NULL.
void dit_text_condition_discard(const dit_text_condition *text);
void dit_text_condition_close(dit_text_condition *text); // may be NULL
// One caption as ids and mask, both [text_length]: cut at the end or padded. Several threads may call this. Fails with
// DIT_BAD_ARGUMENT (not UTF-8) or DIT_NO_MEMORY.
dit_status dit_text_condition_encode(const dit_text_condition *text, const char *caption, int64_t *ids, uint8_t *mask,
                                     dit_error *error);
// Writes MODEL_FOLDER/tokenizer/tokenizer.json.
dit_status dit_text_condition_save(const dit_text_condition *text, const char *model_folder, dit_error *error);

#endif
