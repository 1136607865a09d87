// nn/patch.c: images as tokens, and where the tokens are.
// Dosovitskiy et al. 2021 (arXiv 2010.11929), section 3.1.
#include "nn/nn.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

dit_tensor nn_patch_embed_2d(dit_graph *g, const char *name, dit_tensor image, int patch, int64_t width)
{
    int64_t C = dit_extent(g, image, 1), H = dit_extent(g, image, 2), W = dit_extent(g, image, 3);
    int64_t features = C * patch * patch;
    dit_tensor y = DIT_NONE;
    if (patch < 1 || H < patch || W < patch) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "an image of %lldx%lld has no patch of %dx%d", (long long)W, (long long)H,
                       patch, patch);
        return y;
    }
    if (H % patch)
        image = dit_slice(g, image, 2, 0, H - H % patch, 1);
    if (W % patch)
        image = dit_slice(g, image, 3, 0, W - W % patch, 1);
    DIT_SCOPE (g, "%s", name) {
        dit_tensor weight =
            dit_parameter(g, "weight", DIT_SHAPE(width, C, patch, patch), dit_initial_xavier(features, width));
        dit_tensor bias = dit_parameter(g, "bias", DIT_SHAPE(width), DIT_INITIAL_ZEROS);
        dit_tensor tokens = dit_patchify(g, image, (int[]){1, patch, patch}, DIT_PATCH_CHANNEL_FIRST); // (B, T, C p p)
        y = dit_linear(g, tokens, dit_reshape(g, weight, DIT_SHAPE(width, features)), bias);           // (B, T, width)
    }
    return y;
}

dit_tensor nn_unpatchify_2d(dit_graph *g, dit_tensor tokens, int patch, int64_t channels, int64_t rows, int64_t columns)
{
    dit_shape image = DIT_SHAPE(dit_extent(g, tokens, 0), channels, rows * patch, columns * patch);
    return dit_unpatchify(g, tokens, (int[]){1, patch, patch}, DIT_PATCH_CHANNEL_LAST, image);
}

// Sines, then cosines, of one coordinate: `half` frequencies 10000^(-i / half), in double as the reference has them.
static void sincos_of(double position, int64_t half, float *out)
{
    for (int64_t i = 0; i < half; i++) {
        double angle = position * (1.0 / pow(10000, (double)i / (double)half));
        out[i] = (float)sin(angle);
        out[half + i] = (float)cos(angle);
    }
}

dit_tensor nn_sincos_positions_2d(dit_graph *g, int64_t rows, int64_t columns, int64_t width, int64_t base, float scale)
{
    dit_shape shape = DIT_SHAPE(1, rows * columns, width);
    if (width % 4) {
        dit_graph_fail(g, DIT_BAD_ARGUMENT, "a width of %lld does not split into sines and cosines of two axes",
                       (long long)width);
        return DIT_NONE;
    }
    if (dit_shape_check(&shape, DIT_F32, dit_graph_error(g)))
        return DIT_NONE;
    int64_t half = width / 2;
    float *table = malloc((size_t)dit_shape_count(&shape) * sizeof *table);
    float *of_axis = malloc((size_t)((rows + columns) * half) * sizeof *of_axis); // (rows + columns, C / 2)
    if (!table || !of_axis) {
        free(table);
        free(of_axis);
        dit_graph_fail(g, DIT_NO_MEMORY, "no memory for a table of %lld positions", (long long)(rows * columns));
        return DIT_NONE;
    }
    // Coordinates are f32 in the reference, and so are the two divisions.
    for (int64_t y = 0; y < rows; y++)
        sincos_of((float)y / (float)((double)rows / (double)base) / scale, width / 4, of_axis + y * half);
    for (int64_t x = 0; x < columns; x++)
        sincos_of((float)x / (float)((double)columns / (double)base) / scale, width / 4, of_axis + (rows + x) * half);
    for (int64_t i = 0; i < rows * columns; i++) {
        memcpy(table + i * width, of_axis + (rows + i % columns) * half, (size_t)half * sizeof *table);
        memcpy(table + i * width + half, of_axis + i / columns * half, (size_t)half * sizeof *table);
    }
    free(of_axis);
    dit_tensor t = dit_constant(g, DIT_F32, shape, table);
    free(table);
    return t;
}

dit_tensor nn_patch_embed_sincos_2d(dit_graph *g, const char *name, dit_tensor image, int patch, int64_t width,
                                    int64_t base, float scale)
{
    int64_t rows = dit_extent(g, image, 2) / patch, columns = dit_extent(g, image, 3) / patch;
    dit_dtype dtype = dit_dtype_of(g, image);
    dit_tensor x = DIT_NONE;
    DIT_SCOPE (g, "%s", name)
        x = nn_patch_embed_2d(g, "proj", image, patch, width);                           // (B, T, C)
    dit_tensor positions = nn_sincos_positions_2d(g, rows, columns, width, base, scale); // (1, T, C)
    if (dtype == DIT_F32)
        return dit_add(g, x, positions);
    if (rows == base && columns == base)
        return dit_add(g, x, dit_cast(g, positions, dtype));
    return dit_cast(g, dit_add(g, positions, dit_cast(g, x, DIT_F32)), dtype);
}

dit_tensor nn_patch_projection(dit_graph *g, const char *name, dit_tensor tokens, int patch, int64_t width)
{
    return patch == 1 ? nn_linear_apart(g, name, tokens, width) : nn_linear(g, name, tokens, width, true);
}
