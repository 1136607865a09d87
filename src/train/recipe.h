// train/recipe.h: a training run as a file says it. Everything is checked before any data is opened.
#ifndef DIT_TRAIN_RECIPE_H
#define DIT_TRAIN_RECIPE_H

#include "train/objective.h"
#include "train/optimizer.h"

enum { DIT_CLASSIFIER_GROUPS = 8 }; // of the norms of a new classifier

typedef enum dit_rate_schedule { DIT_RATE_CONSTANT, DIT_RATE_COSINE, DIT_RATE_LINEAR } dit_rate_schedule;

// Texts live as long as the recipe.
typedef struct dit_recipe {
    struct {
        const char *class;                        // a row of train/blueprint.c
        int layers, heads, width, patch;          // of a classifier: stages, 0, channels of the first stage, 0
        int text_layers, text_length, vocabulary; // of a model of text
        const char *start;                        // folder of a transformer whose weights it starts from, or NULL
    } model;
    struct {
        const char *set;     // as dit_dataset_open takes it: a folder, or the name of a set of tools/data
        const char *split;   // "train", or NULL
        const char *without; // leaves out captioned samples that have this key, or NULL
        int size;            // pixels of a side
        int channels;        // 1 or 3
        int background;      // grey under transparent pixels, 0 to 255
        bool flip;           // mirrored half of the time
        double shift, scale; // augmentation: largest shift in parts of the side, largest change of size in parts of it
        double drop;         // probability that a sample loses its condition, for guidance; 0 for a classifier
        double keywords;     // probability that a caption is made of keywords rather than of the text
    } data;
    dit_objective objective;
    struct {
        int64_t steps;
        int batch, accumulate;
        double rate, least_rate;
        int64_t warmup;
        dit_rate_schedule schedule;
        dit_optimizer_options optimizer;
        bool recompute;
        uint64_t seed;
        int64_t checkpoint_every, sample_every; // steps; 0: never
    } train;
    struct {
        const char **prompts; // a model of classes draws class 0, 1, ... when there are none
        int count;
        int steps;
        double guidance_scale;
        int ema;         // which average draws, counted from 0; -1: the weights themselves
        dit_dtype dtype; // that the model folder is written in
    } samples;
    void *file; // what the texts belong to
} dit_recipe;

// Reads and checks a recipe; `overrides` are "key.path=value" of --set. Errors name file, line and key.
dit_status dit_recipe_load(dit_recipe *recipe, const char *path, const char *const *overrides, size_t override_count,
                           dit_error *error);
void dit_recipe_free(dit_recipe *recipe);

// The learning rate of the step that follows `taken` steps: warmup, then the schedule.
double dit_recipe_rate(const dit_recipe *recipe, int64_t taken);

#endif
