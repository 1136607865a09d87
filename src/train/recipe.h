// train/recipe.h: a training run as a file says it. Everything is checked before any data is opened.
#ifndef DIT_TRAIN_RECIPE_H
#define DIT_TRAIN_RECIPE_H

#include "train/objective.h"
#include "train/optimizer.h"

enum { DIT_MAX_SAMPLES = 64 };

typedef enum dit_rate_schedule { DIT_RATE_CONSTANT, DIT_RATE_COSINE, DIT_RATE_LINEAR } dit_rate_schedule;

typedef struct dit_recipe {
    struct {
        char *class; // a row of train/blueprint.c
        int layers, heads, width, patch;
        int text_layers, text_length, vocabulary; // of a model of text
        char *start;                              // folder of a transformer whose weights it starts from, or NULL
    } model;
    struct {
        char *path;   // of the set: an image folder or IDX files; relative to the recipe, "~" and "$CACHE" as in docs
        int size;     // pixels of a side
        int channels; // 1 or 3
        bool flip;    // mirrored half of the time
        double shift, scale; // augmentation: largest shift in parts of the side, largest change of scale
        double drop;         // probability that a sample loses its condition, for guidance
        double keywords;     // probability that a caption is made of keywords rather than the name
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
        int64_t checkpoint_every, sample_every;
    } train;
    struct {
        char *texts[DIT_MAX_SAMPLES]; // prompts, or classes as digits
        int count;
        int steps;
        double guidance_scale;
        int ema;         // which average draws, counted from 0; -1: the weights themselves
        dit_dtype dtype; // that the model folder is written in
    } samples;
} dit_recipe;

// Reads and checks a recipe; `overrides` are "key.path=value" of --set. Errors name file, line and key.
dit_status dit_recipe_load(dit_recipe *recipe, const char *path, const char *const *overrides, size_t override_count,
                           dit_error *error);
void dit_recipe_free(dit_recipe *recipe);

// The learning rate of the step that follows `taken` steps: warmup, then the schedule.
double dit_recipe_rate(const dit_recipe *recipe, int64_t taken);

#endif
