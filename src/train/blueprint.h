// train/blueprint.h: from a recipe to the published configuration of a new model. A trainable class is one row of
// blueprint.c.
#ifndef DIT_TRAIN_BLUEPRINT_H
#define DIT_TRAIN_BLUEPRINT_H

#include "models/model.h"
#include "train/recipe.h"

typedef struct dit_blueprint {
    const char *class;    // of the network
    const char *pipeline; // `_class_name` of its model_index.json; NULL for a network on its own: a classifier
    bool is_text;         // conditions are captions, otherwise labels
    // config.json for the recipe, malloc'd; `classes` is the number of labels in the data. NULL when memory is out.
    char *(*config)(const dit_recipe *recipe, int classes);
} dit_blueprint;

// The row for `recipe->model.class`, or an error: no such row (it lists them), or one that the objective does not
// train.
const dit_blueprint *dit_blueprint_find(const dit_recipe *recipe, dit_error *error);

// scheduler_config.json that fits the objective, malloc'd. NULL when memory is out.
char *dit_blueprint_scheduler(const dit_recipe *recipe);
// model_index.json, malloc'd. NULL when memory is out.
char *dit_blueprint_index(const dit_recipe *recipe, const dit_blueprint *blueprint);

#endif
