// train/trainer.h: a run: data, model, optimizer, checkpoints, log.
#ifndef DIT_TRAIN_TRAINER_H
#define DIT_TRAIN_TRAINER_H

#include "dit/dit.h"
#include "train/recipe.h"

// What a run tells its caller. Both may be NULL.
typedef struct dit_trainer_hooks {
    const dit_watch *watch; // told of every step; stops the run, which then saves a checkpoint first
    // The folder of a model that draws was written: time to draw samples with it. `classes` is how many a model of
    // classes has. A failure is reported by say and the run goes on.
    dit_status (*exported)(void *context, const char *model_folder, int classes, int64_t steps, dit_error *error);
    void (*say)(void *context, const char *line); // a line for people
    void *context;
} dit_trainer_hooks;

// Trains as `recipe` says in `folder`, made when it is not there, going on from its newest checkpoint. The folder holds
//   checkpoint-N.safetensors (the two newest), log.jsonl, loss.svg, and for a model of text tokenizer.json
//   model/, as `dit generate` opens it, or as `dit eval classify` opens a classifier
// A run that is complete already writes its model anew. A NaN loss, an unreadable sample, a full disk or a watcher that
// stops ends the run with a message; what was trained up to the newest checkpoint stays. Only one run at a time may use
// a folder.
dit_status dit_train(const dit_recipe *recipe, const char *folder, const dit_trainer_hooks *hooks, dit_error *error);

#endif
