// graph/ops/patch.h: the geometry that patchify and unpatchify share.
#ifndef DIT_GRAPH_OPS_PATCH_H
#define DIT_GRAPH_OPS_PATCH_H

#include "graph/ops/rules.h"

// An image as three spatial axes (frames of extent 1 when it has two), cut into patches.
typedef struct dit_patch_grid {
    int64_t batch, channels;
    int64_t grid[3];  // patches along frames, rows, columns
    int64_t patch[3]; // elements of a patch along them
} dit_patch_grid;

// `image` is (B, C, [F,] H, W); `patch` is along frames (1 when there are none), rows, columns, and divides them.
static inline dit_status dit_patch_grid_of(const char *op, const dit_shape *image, const int *patch,
                                           dit_patch_order order, dit_patch_grid *p, dit_error *error)
{
    char text[160];
    *p = (dit_patch_grid){0, 0, {1, 1, 1}, {patch[0], patch[1], patch[2]}};
    if (image->rank != 4 && image->rank != 5)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: the image %s is not (B, C, [F,] H, W)", op,
                        dit_shape_text(image, text));
    if ((unsigned)order > DIT_PATCH_CHANNEL_LAST)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: %d is no patch order", op, (int)order);
    p->batch = image->dim[0];
    p->channels = image->dim[1];
    for (int i = 0; i < 3; i++) {
        int axis = i + image->rank - 3;
        int64_t extent = axis < 2 ? 1 : image->dim[axis];
        if (patch[i] < 1 || extent % patch[i])
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s: patches of %d x %d x %d do not divide the image %s", op,
                            patch[0], patch[1], patch[2], dit_shape_text(image, text));
        p->grid[i] = extent / patch[i];
    }
    return DIT_OK;
}

// (B, T, patch volume * C). It has as many elements as the image, so no product overflows.
static inline dit_shape dit_patch_tokens(const dit_patch_grid *p)
{
    return DIT_SHAPE(p->batch, p->grid[0] * p->grid[1] * p->grid[2],
                     p->patch[0] * p->patch[1] * p->patch[2] * p->channels);
}

// Calls visit(context, index in the image, index in the tokens) for every element, in the order of the image.
static inline void dit_patch_walk(const dit_patch_grid *p, dit_patch_order order,
                                  void (*visit)(void *context, int64_t pixel, int64_t token), void *context)
{
    const int64_t *n = p->grid, *s = p->patch;
    int64_t volume = s[0] * s[1] * s[2], pixel = 0;
    for (int64_t b = 0; b < p->batch; b++)
        for (int64_t c = 0; c < p->channels; c++)
            for (int64_t f = 0; f < n[0] * s[0]; f++)
                for (int64_t y = 0; y < n[1] * s[1]; y++)
                    for (int64_t x = 0; x < n[2] * s[2]; x++) {
                        int64_t t = ((b * n[0] + f / s[0]) * n[1] + y / s[1]) * n[2] + x / s[2];
                        int64_t inside = (f % s[0] * s[1] + y % s[1]) * s[2] + x % s[2];
                        int64_t feature =
                            order == DIT_PATCH_CHANNEL_FIRST ? c * volume + inside : inside * p->channels + c;
                        visit(context, pixel++, t * volume * p->channels + feature);
                    }
}

#endif
