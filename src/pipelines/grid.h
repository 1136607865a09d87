// pipelines/grid.h: several pictures of a model as one.
#ifndef DIT_PIPELINES_GRID_H
#define DIT_PIPELINES_GRID_H

#include "pipelines/pipeline.h"

// What to draw: prompts for a model of text; `prompts` NULL: classes 0, 1, ... of a model of classes.
typedef struct dit_grid {
    const char *const *prompts;
    int count;     // pictures
    int columns;   // 0: about as many as rows
    int gap;       // pixels between pictures, white
    uint64_t seed; // picture i is drawn with seed + i
} dit_grid;

// Draws a grid; *image is released by the caller.
dit_status dit_draw_grid(dit_model *model, const dit_grid *grid, const dit_watch *watch, dit_image *image,
                         dit_error *error);

#endif
