// pipelines/grid.c: pictures side by side.
#include "pipelines/grid.h"
#include "media/image.h"
#include <math.h>
#include <string.h>

static void paste(dit_image *to, const dit_image *from, int x, int y)
{
    size_t row = (size_t)from->width * (size_t)from->channels;
    for (int i = 0; i < from->height; i++)
        memcpy(to->pixels + ((size_t)(y + i) * (size_t)to->width + (size_t)x) * (size_t)to->channels,
               from->pixels + (size_t)i * row, row);
}

static dit_status draw_one(dit_model *model, const dit_grid *grid, int i, const dit_watch *watch, dit_image *picture,
                           dit_error *error)
{
    dit_request request = dit_request_default();
    request.seed = grid->seed + (uint64_t)i;
    if (grid->prompts)
        request.prompt = grid->prompts[i];
    else
        request.class_label = i;
    return dit_generate(model, &request, watch, picture, error);
}

dit_status dit_draw_grid(dit_model *model, const dit_grid *grid, const dit_watch *watch, dit_image *image,
                         dit_error *error)
{
    *image = (dit_image){0};
    if (grid->count < 1)
        return dit_fail(error, DIT_BAD_ARGUMENT, "a grid of %d pictures; it takes one at least", grid->count);
    int columns = grid->columns ? grid->columns : (int)ceil(sqrt(grid->count));
    int rows = (grid->count + columns - 1) / columns;
    for (int i = 0; i < grid->count && !error->status; i++) {
        dit_image picture = {0};
        if (draw_one(model, grid, i, watch, &picture, error))
            break;
        if (i == 0 && !dit_image_alloc(image, columns * (picture.width + grid->gap) - grid->gap,
                                       rows * (picture.height + grid->gap) - grid->gap, picture.channels, error))
            memset(image->pixels, 255, (size_t)image->width * (size_t)image->height * (size_t)image->channels);
        if (!error->status)
            paste(image, &picture, i % columns * (picture.width + grid->gap),
                  i / columns * (picture.height + grid->gap));
        dit_image_free(&picture);
    }
    if (error->status)
        dit_image_free(image);
    return error->status;
}
