// models/autoencoder.c: a batch through an autoencoder, a tile of some samples at a time.
//
// The tiles of a row of tiles follow each other. Of what was made before, only the seams are kept: the right columns of
// the tile on the left and the bottom rows of the tiles above, each after its own blending.
#include "models/autoencoder.h"
#include "base/memory.h"
#include "base/progress.h"
#include "graph/ops.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_RESULTS = 2 }; // mean and logvar

bool dit_autoencoder_facts_of(const dit_component *c, dit_autoencoder_facts *facts)
{
    if (!c->class || !c->class->autoencoder)
        return false;
    c->class->autoencoder(c->config, facts);
    return true;
}

// Tiles along one axis, in elements of the argument (`from`) and of the results (`to`).
struct axis {
    int64_t whole, tile, step;          // of the argument
    int64_t count;                      // of tiles
    int64_t to_whole, to_step, to_seam; // of the results; the seam is what two neighbours share
};

struct work {
    const dit_component *component;
    dit_method method;
    const dit_autoencoder_options *options;
    dit_autoencoder_facts facts;
    const dit_array *argument; // (B, C, H, W)
    int results;
    dit_array *result[MOST_RESULTS];
    const char *name[MOST_RESULTS];
    int64_t channels; // of each result
    int64_t samples;  // that go together
    struct axis axis[2];
    bool figures_only;
    dit_plan *plan; // for tiles of plan_shape
    dit_shape plan_shape;
    float *tile[MOST_RESULTS];        // (samples, channels, tile rows, tile columns), as much of it as this tile has
    float *left[MOST_RESULTS];        // (samples, channels, tile rows, seam columns)
    float *above[MOST_RESULTS];       // (tile columns' count, samples, channels, seam rows, tile columns)
    int64_t left_columns, above_rows; // of these, how many there are
    dit_progress progress;
};

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// An extent of the argument as one of the results.
static int64_t to_result(const struct work *w, int64_t extent)
{
    return w->method == DIT_DECODE ? extent * w->facts.ratio : extent / w->facts.ratio;
}

// Cuts both axes into tiles of `tile` pixels; 0: one tile.
static void cut(struct work *w, int tile)
{
    for (int i = 0; i < 2; i++) {
        struct axis *a = &w->axis[i];
        int64_t ratio = w->facts.ratio, unit = w->method == DIT_DECODE ? 1 : ratio; // of the argument, a latent pixel
        double overlap = w->options->overlap > 0 ? w->options->overlap : w->facts.tile_overlap;
        int64_t latents = tile / ratio, seam = (int64_t)((double)latents * overlap);
        a->whole = w->argument->shape.dim[2 + i];
        a->tile = a->step = a->whole;
        if (tile && latents * unit < a->whole) {
            a->tile = latents * unit;
            a->step = (latents - seam) * unit;
        }
        a->count = (a->whole / unit * unit + a->step - 1) / a->step;
        a->to_whole = to_result(w, a->whole);
        a->to_step = to_result(w, a->step);
        a->to_seam = to_result(w, a->tile - a->step);
    }
}

static int64_t start_of(const struct axis *a, int64_t i)
{
    return i * a->step;
}

static int64_t extent_of(const struct axis *a, int64_t i)
{
    return least_of(a->tile, a->whole - start_of(a, i));
}

// Planning
// ------------------------------------------------------------------------------------------------------------

// Makes the plan for tiles of that shape, if it is not the present one.
static dit_status plan_for(struct work *w, const dit_shape *shape, dit_error *error)
{
    const dit_model_class *class = w->component->class;
    if (w->plan && dit_shape_equal(&w->plan_shape, shape))
        return DIT_OK;
    dit_plan_free(w->plan);
    w->plan = NULL;
    dit_graph *g = dit_graph_new(w->component->weights);
    if (!g)
        return dit_fail(error, DIT_NO_MEMORY, "no memory to describe the model");
    dit_named_tensors in = {0}, out = {0};
    const char *name = class->method[w->method].arguments[0].name;
    dit_named_add(&in, name, dit_input(g, name, w->options->dtype, *shape));
    class->method[w->method].describe(g, w->component->config, &in, &out);
    w->results = out.count < MOST_RESULTS ? out.count : MOST_RESULTS;
    w->channels = dit_extent(g, out.item[0].tensor, 1);
    for (int k = 0; k < w->results; k++) {
        w->name[k] = out.item[k].name;
        dit_output(g, w->name[k], dit_cast(g, out.item[k].tensor, DIT_F32));
    }
    const dit_error *fault = dit_graph_error(g);
    if (fault->status)
        dit_fail(error, fault->status, "%s: %s", w->component->folder, fault->message);
    else
        dit_plan_new(g, w->component->weights,
                     &(dit_plan_options){.frozen = true,
                                         .memory = w->figures_only ? 0 : dit_memory_left(w->component->memory),
                                         .bound = w->component->memory,
                                         .figures_only = w->figures_only},
                     &w->plan, error);
    dit_graph_free(g);
    w->plan_shape = *shape;
    return error->status;
}

static dit_shape tile_shape(const struct work *w, int64_t samples, int64_t rows, int64_t columns)
{
    return DIT_SHAPE(samples, w->argument->shape.dim[1], rows, columns);
}

// Floats of the buffers that a cut needs beside the plan.
struct sizes {
    int64_t tile, left, above;
};

static struct sizes sizes_of(const struct work *w)
{
    const struct axis *y = &w->axis[0], *x = &w->axis[1];
    int64_t planes = w->samples * w->channels, rows = to_result(w, y->tile), columns = to_result(w, x->tile);
    return (struct sizes){.tile = planes * rows * columns,
                          .left = x->count > 1 ? planes * rows * x->to_seam : 0,
                          .above = y->count > 1 ? x->count * planes * y->to_seam * columns : 0};
}

// Whether a cut into tiles keeps the bound; false also when the machine has less.
static bool fits(struct work *w, int tile)
{
    dit_error error = {0};
    cut(w, tile);
    dit_shape shape = tile_shape(w, w->samples, w->axis[0].tile, w->axis[1].tile);
    if (plan_for(w, &shape, &error))
        return false;
    struct sizes s = sizes_of(w);
    double floats = (double)(s.tile + s.left + s.above) * w->results;
    return (double)dit_plan_figures_of(w->plan).arena_bytes + floats * sizeof(float) <= (double)w->options->memory;
}

// Pixels; four of the latents, at which seams of a quarter are whole.
static int smallest_tile(const struct work *w)
{
    return 4 * w->facts.ratio;
}

// The largest tile that keeps the bound, in steps of the smallest one.
static dit_status choose_tile(struct work *w, int *tile, dit_error *error)
{
    int step = smallest_tile(w);
    int64_t height = w->argument->shape.dim[2], width = w->argument->shape.dim[3],
            side = (height > width ? height : width) * (w->method == DIT_DECODE ? w->facts.ratio : 1);
    if (fits(w, *tile))
        return DIT_OK;
    int64_t low = 0, high = *tile ? *tile / step : (side + step - 1) / step; // in steps; `high` does not fit
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (fits(w, (int)(middle * step)))
            low = middle;
        else
            high = middle;
    }
    *tile = (int)(low * step);
    if (!low)
        return dit_fail(error, DIT_NO_MEMORY,
                        "%s: the memory bound leaves %.1f MiB, less than a tile of %d pixels takes; raise it",
                        w->component->folder, (double)w->options->memory / 0x1p20, step);
    return DIT_OK;
}

// Running
// -------------------------------------------------------------------------------------------------------------

static bool cancelled(void *context)
{
    const struct work *w = context;
    const dit_watch *watch = w->options->watch;
    return watch && watch->report(watch->context, &w->progress);
}

// Samples b and following, tile (i, j): its part of the argument through the network, into w->tile.
static dit_status run_tile(struct work *w, int64_t b, int64_t samples, int64_t i, int64_t j, dit_error *error)
{
    const dit_shape *whole = &w->argument->shape;
    int64_t rows = extent_of(&w->axis[0], i), columns = extent_of(&w->axis[1], j), C = whole->dim[1];
    dit_shape shape = tile_shape(w, samples, rows, columns);
    if (plan_for(w, &shape, error))
        return error->status;
    dit_array to = dit_plan_input(w->plan, w->component->class->method[w->method].arguments[0].name);
    for (int64_t n = 0; n < samples * C * rows; n++) {
        int64_t plane = n / rows, row = start_of(&w->axis[0], i) + n % rows;
        const float *from = (const float *)w->argument->data + ((b * C + plane) * whole->dim[2] + row) * whole->dim[3] +
                            start_of(&w->axis[1], j);
        if (to.dtype == DIT_F32)
            memcpy((float *)to.data + n * columns, from, (size_t)columns * sizeof(float));
        else
            for (int64_t k = 0; k < columns; k++)
                dit_element_set(to.dtype, to.data, n * columns + k, (double)from[k]);
    }
    if (dit_plan_run(w->plan, cancelled, w, error))
        return error->status;
    for (int k = 0; k < w->results; k++) {
        dit_array from = dit_plan_output(w->plan, w->name[k]);
        memcpy(w->tile[k], from.data, dit_array_bytes(&from));
    }
    return DIT_OK;
}

// b = a (1 - at / extent) + b at / extent, where a's last `extent` elements lie over b's first ones.
static void blend(float *b, const float *a, int64_t n, int64_t at, int64_t extent)
{
    float share = (float)((double)at / (double)extent), rest = (float)(1 - (double)at / (double)extent);
    for (int64_t k = 0; k < n; k++)
        b[k] = a[k] * rest + b[k] * share;
}

// One plane (rows, columns) of a tile with those of its neighbours: `above` (w->above_rows, columns), `left` (rows,
// w->left_columns); NULL: none.
static void blend_plane(const struct work *w, float *tile, int64_t rows, int64_t columns, const float *above,
                        const float *left)
{
    int64_t extent = least_of(w->above_rows, rows);
    for (int64_t y = 0; above && y < extent; y++)
        blend(tile + y * columns, above + (w->above_rows - extent + y) * columns, columns, y, extent);
    extent = least_of(w->left_columns, columns);
    for (int64_t y = 0; left && y < rows; y++)
        for (int64_t x = 0; x < extent; x++)
            blend(tile + y * columns + x, left + y * w->left_columns + w->left_columns - extent + x, 1, x, extent);
}

// Blends result k of tile (i, j), puts it in its place, and keeps its seams in the place of its neighbours'.
static void place(struct work *w, int k, int64_t b, int64_t samples, int64_t i, int64_t j)
{
    const struct axis *y = &w->axis[0], *x = &w->axis[1];
    int64_t rows = to_result(w, extent_of(y, i)), columns = to_result(w, extent_of(x, j));
    int64_t kept_rows = least_of(y->to_step, rows), kept_columns = least_of(x->to_step, columns);
    int64_t low = least_of(y->to_seam, rows), right = least_of(x->to_seam, columns);
    for (int64_t p = 0; p < samples * w->channels; p++) {
        float *tile = w->tile[k] + p * rows * columns;
        float *above = w->above[k] + (j * w->samples * w->channels + p) * y->to_seam * to_result(w, x->tile);
        float *left = w->left[k] + p * to_result(w, y->tile) * x->to_seam;
        blend_plane(w, tile, rows, columns, i ? above : NULL, j ? left : NULL);
        if (i < y->count - 1)
            memcpy(above, tile + (rows - low) * columns, (size_t)(low * columns) * sizeof(float));
        for (int64_t r = 0; j < x->count - 1 && r < rows; r++)
            memcpy(left + r * right, tile + r * columns + columns - right, (size_t)right * sizeof(float));
        float *to = (float *)w->result[k]->data + ((b * w->channels + p) * y->to_whole + i * y->to_step) * x->to_whole +
                    j * x->to_step;
        for (int64_t r = 0; r < kept_rows; r++)
            memcpy(to + r * x->to_whole, tile + r * columns, (size_t)kept_columns * sizeof(float));
    }
}

// All tiles of samples b and following.
static dit_status run_samples(struct work *w, int64_t b, int64_t samples, dit_error *error)
{
    const struct axis *y = &w->axis[0], *x = &w->axis[1];
    for (int64_t i = 0; i < y->count; i++) {
        w->above_rows = i ? least_of(y->to_seam, to_result(w, extent_of(y, i - 1))) : 0;
        for (int64_t j = 0; j < x->count; j++) {
            w->left_columns = j ? least_of(x->to_seam, to_result(w, extent_of(x, j - 1))) : 0;
            if (dit_report(w->options->watch, &w->progress, error) || run_tile(w, b, samples, i, j, error))
                return error->status;
            for (int k = 0; k < w->results; k++)
                place(w, k, b, samples, i, j);
            w->progress.done++;
        }
    }
    return DIT_OK;
}

static dit_status allocate(struct work *w, dit_error *error)
{
    struct sizes s = sizes_of(w);
    for (int k = 0; k < w->results; k++) {
        w->tile[k] = malloc((size_t)(s.tile + s.left + s.above) * sizeof(float));
        if (!w->tile[k])
            return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for a tile", w->component->folder);
        w->left[k] = w->tile[k] + s.tile;
        w->above[k] = w->left[k] + s.left;
        dit_shape shape = DIT_SHAPE(w->argument->shape.dim[0], w->channels, w->axis[0].to_whole, w->axis[1].to_whole);
        if (w->result[k] && dit_array_alloc(w->result[k], DIT_F32, shape, error))
            return error->status;
    }
    return DIT_OK;
}

static dit_status check(const struct work *w, dit_error *error)
{
    const dit_shape *s = &w->argument->shape;
    const dit_autoencoder_options *o = w->options;
    char text[160];
    int channels = w->method == DIT_DECODE ? w->facts.latent_channels : w->facts.in_channels;
    int least = w->method == DIT_DECODE ? 1 : w->facts.ratio;
    if (w->argument->dtype != DIT_F32 || s->rank != 4 || s->dim[0] < 1 || s->dim[1] != channels || s->dim[2] < least ||
        s->dim[3] < least)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: takes f32 (B, %d, H, W) from %dx%d on, not %s %s",
                        w->component->folder, channels, least, least, dit_dtype_name(w->argument->dtype),
                        dit_shape_text(s, text));
    if (o->tile < 0 || (o->tile && o->tile < 2 * w->facts.ratio) || !(o->overlap >= 0 && o->overlap <= 0.5))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: a tile has %d pixels or more and shares at most half of them",
                        w->component->folder, 2 * w->facts.ratio);
    return DIT_OK;
}

static dit_status tell(const struct work *w, int64_t b, int64_t samples, dit_error *error)
{
    dit_array one = *w->result[0];
    one.shape.dim[0] = 1;
    for (int64_t i = b; w->options->whole && i < b + samples && !error->status; i++) {
        one.data = (float *)w->result[0]->data + i * dit_shape_count(&one.shape);
        w->options->whole(w->options->context, i, &one, error);
    }
    return error->status;
}

static dit_status run_all(struct work *w, dit_error *error)
{
    int64_t batch = w->argument->shape.dim[0];
    int tile = w->options->tile;
    w->samples = w->options->slice ? 1 : batch;
    if (w->options->memory && !fits(w, tile)) {
        w->samples = 1;
        if (choose_tile(w, &tile, error))
            return error->status;
    }
    cut(w, tile);
    dit_shape first = tile_shape(w, w->samples, w->axis[0].tile, w->axis[1].tile);
    if (plan_for(w, &first, error) || allocate(w, error))
        return error->status;
    int64_t slices = (batch + w->samples - 1) / w->samples;
    w->progress = (dit_progress){.phase = w->method == DIT_DECODE ? "decode" : "encode",
                                 .unit = "tile",
                                 .total = (uint64_t)(slices * w->axis[0].count * w->axis[1].count)};
    for (int64_t b = 0; b < batch; b += w->samples) {
        const int64_t samples = least_of(w->samples, batch - b);
        if (run_samples(w, b, samples, error) || tell(w, b, samples, error))
            return error->status;
    }
    return dit_report(w->options->watch, &w->progress, error);
}

static dit_status perform(const dit_component *c, dit_method method, const dit_array *argument,
                          const dit_autoencoder_options *options, dit_array *first, dit_array *second, dit_error *error)
{
    static const dit_autoencoder_options none;
    struct work w = {.component = c, .method = method, .argument = argument, .result = {first, second}};
    w.options = options ? options : &none;
    for (int k = 0; k < MOST_RESULTS; k++)
        if (w.result[k])
            *w.result[k] = (dit_array){0};
    if (!dit_autoencoder_facts_of(c, &w.facts))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s holds no autoencoder", c->folder);
    if (!check(&w, error))
        run_all(&w, error);
    dit_plan_free(w.plan);
    for (int k = 0; k < MOST_RESULTS; k++)
        free(w.tile[k]);
    return error->status;
}

dit_status dit_autoencoder_figures(const dit_component *c, dit_method method, const dit_shape *argument, bool tiled,
                                   dit_plan_figures *figures, dit_error *error)
{
    static const dit_autoencoder_options none;
    const dit_array array = {DIT_F32, *argument, NULL};
    struct work w = {.component = c, .method = method, .options = &none, .argument = &array, .figures_only = true};
    if (!dit_autoencoder_facts_of(c, &w.facts))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s holds no autoencoder", c->folder);
    cut(&w, tiled ? smallest_tile(&w) : 0);
    const dit_shape shape = tile_shape(&w, 1, w.axis[0].tile, w.axis[1].tile);
    if (!plan_for(&w, &shape, error))
        *figures = dit_plan_figures_of(w.plan);
    dit_plan_free(w.plan);
    return error->status;
}

dit_status dit_autoencoder_decode(const dit_component *c, const dit_array *latents,
                                  const dit_autoencoder_options *options, dit_array *sample, dit_error *error)
{
    return perform(c, DIT_DECODE, latents, options, sample, NULL, error);
}

dit_status dit_autoencoder_encode(const dit_component *c, const dit_array *pixels,
                                  const dit_autoencoder_options *options, dit_array *mean, dit_array *logvar,
                                  dit_error *error)
{
    return perform(c, DIT_ENCODE, pixels, options, mean, logvar, error);
}
