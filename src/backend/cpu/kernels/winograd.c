// backend/cpu/kernels/winograd.c: 3x3 convolution by minimal filtering, F(2x2, 3x3).
// Lavin and Gray 2015 (arXiv 1509.09308), section 4.1.
//
// The result is cut into tiles of 2x2 pixels. A tile sees 4x4 pixels d of each channel, and
//
//     y = A^T [ sum over channels of (G g G^T) * (B^T d B) ] A        (* element by element; g: the 3x3 weights)
//
//     B^T = 1  0 -1  0     G = 1    0    0     A^T = 1  1  1  0
//           0  1  1  0         1/2  1/2  1/2         0  1 -1 -1
//           0 -1  1  0         1/2 -1/2  1/2
//           0  1  0 -1         0    0    1
//
// so that 16 products take the place of 36: of each of the 16 places, one matrix product of weights (O, C) and tiles
// (C, tiles). All entries are 0, 1 and 1/2, and errors stay within a small multiple of the plain sum's.
//
// Where the picture is another one doubled by repeating pixels, the two middle rows of d are the same row, and so are
// the columns: the third row and column of B^T d B are zero, and 9 products remain.
#include "backend/cpu/winograd.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/finish.h"
#include "backend/cpu/patches.h"
#include <omp.h>
#include <stdlib.h>

enum {
    ROWS = DIT_TILE_ROWS,
    PANEL = DIT_TILE_COLUMNS, // tiles that are transformed together
    PLACES = 16,
    FEWEST_CHANNELS = 16,
    MOST_CHANNELS = 2048, // a sum in one pass
    FEWEST_TILES = 64,
    SCRATCH = 1 << 20, // floats that a thread's transformed tiles and sums take together, about
    MOST_PANELS = 16,
};

bool dit_winograd_suits(const dit_conv_geometry *c, bool doubled)
{
    for (int i = 0; i < 3; i++)
        if (c->stride[i] != 1 || c->dilation[i] != 1 || c->kernel[i] != (i ? 3 : 1))
            return false;
    if (doubled && (c->padding[1] != 1 || c->padding[2] != 1))
        return false;
    return c->groups == 1 && c->in[0] == 1 && c->padding[0] == 0 && c->C >= FEWEST_CHANNELS && c->C <= MOST_CHANNELS &&
           c->out[1] * c->out[2] >= 4 * FEWEST_TILES;
}

// How the tiles of all pictures are shared out.
struct cut {
    int64_t rows, columns;     // of tiles in a picture
    int64_t panels, per_block; // panels of one picture; of them that a thread takes at a time
    int64_t blocks;            // of one picture
};

static struct cut cut_of(const dit_conv_geometry *c)
{
    struct cut cut = {.rows = dit_divide_up(c->out[1], 2), .columns = dit_divide_up(c->out[2], 2)};
    cut.panels = dit_divide_up(cut.rows * cut.columns, PANEL);
    int64_t fit = SCRATCH / (PLACES * PANEL * (c->C + c->O)), even;
    fit = fit < 1 ? 1 : fit > MOST_PANELS ? MOST_PANELS : fit;
    even = dit_divide_up(cut.panels, 4 * dit_cpu_most_threads() > 1 ? 4 * dit_cpu_most_threads() : 1);
    cut.per_block = fit < even ? fit : even > 1 ? even : 1;
    cut.blocks = dit_divide_up(cut.panels, cut.per_block);
    return cut;
}

// Workspace, in floats: transformed weights (16, O, C), then for each thread transformed tiles (16, panels, C, PANEL)
// and sums (16, O, panels PANEL).
static int64_t weight_floats(const dit_conv_geometry *c)
{
    return dit_divide_up(PLACES * c->O * c->C, DIT_LANES) * DIT_LANES;
}

static int64_t thread_floats(const dit_conv_geometry *c, const struct cut *cut)
{
    return PLACES * cut->per_block * PANEL * (c->C + c->O);
}

size_t dit_winograd_workspace(const dit_winograd *w)
{
    struct cut cut = cut_of(&w->geometry);
    return (size_t)(weight_floats(&w->geometry) + thread_floats(&w->geometry, &cut) * dit_cpu_most_threads()) *
           sizeof(float);
}

// Weights
// -------------------------------------------------------------------------------------------------------------

// G g G^T of the filters of output channel `o`, to[place * O * C + c].
static void transform_filters(const dit_conv_geometry *c, const float *weight, int64_t o, float *to)
{
    int64_t place = c->O * c->C;
    weight += o * c->C * 9;
    to += o * c->C;
#pragma omp simd
    for (int64_t i = 0; i < c->C; i++) {
        const float *g = weight + 9 * i;
        float t[4][3];
        for (int k = 0; k < 3; k++) {
            float sum = g[k] + g[6 + k];
            t[0][k] = g[k];
            t[1][k] = 0.5f * (sum + g[3 + k]);
            t[2][k] = 0.5f * (sum - g[3 + k]);
            t[3][k] = g[6 + k];
        }
        for (int r = 0; r < 4; r++) {
            float sum = t[r][0] + t[r][2], *row = to + 4 * r * place + i;
            row[0] = t[r][0];
            row[place] = 0.5f * (sum + t[r][1]);
            row[2 * place] = 0.5f * (sum - t[r][1]);
            row[3 * place] = t[r][2];
        }
    }
}

// Tiles
// ---------------------------------------------------------------------------------------------------------------

// Tiles of one row of tiles that follow each other in a panel.
struct run {
    int at, count;
    int64_t row, column; // of the first one, in tiles
};

static int find_runs(const struct cut *cut, int64_t panel, struct run runs[PANEL])
{
    int64_t first = panel * PANEL, end = cut->rows * cut->columns;
    int found = 0;
    for (int at = 0; at < PANEL && first + at < end; found++) {
        int64_t n = first + at, left = cut->columns - n % cut->columns;
        int count = left < PANEL - at ? (int)left : PANEL - at;
        if (n + count > end)
            count = (int)(end - n);
        runs[found] = (struct run){at, count, n / cut->columns, n % cut->columns};
        at += count;
    }
    return found;
}

// DIT_LANES pixels of a row from column `at` on, zero outside its `length`. No row: zeros.
VEC_INLINE vec pixels(const float *row, int64_t at, int64_t length)
{
    return row ? vec_load_part(row + at, -at, length - at) : (vec){0};
}

// Every other element of a and b.
#if defined DIT_ISA_avx512
#define EVEN(a, b) VEC_SHUFFLE(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define ODD(a, b) VEC_SHUFFLE(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#elif defined DIT_ISA_avx2
#define EVEN(a, b) VEC_SHUFFLE(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define ODD(a, b) VEC_SHUFFLE(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#else
#define EVEN(a, b) VEC_SHUFFLE(a, b, 0, 2, 4, 6)
#define ODD(a, b) VEC_SHUFFLE(a, b, 1, 3, 5, 7)
#endif

// d B for one row of DIT_LANES tiles whose first pixel is at column `at`. The neighbour's columns are loaded again
// rather than shifted in registers: loads are cheaper.
VEC_INLINE void transform_columns(const float *row, int64_t at, int64_t length, vec to[4])
{
    vec a = pixels(row, at, length), b = pixels(row, at + DIT_LANES, length);
    vec c = pixels(row, at + 2, length), d = pixels(row, at + 2 + DIT_LANES, length);
    vec d0 = EVEN(a, b), d1 = ODD(a, b), d2 = EVEN(c, d), d3 = ODD(c, d);
    to[0] = d0 - d2;
    to[1] = d1 + d2;
    to[2] = d2 - d1;
    to[3] = d1 - d3;
}

// B^T d B of channel `plane` for one run, into its panels: element (place, tile) to[place * step + tile].
static void transform_run(const dit_conv_geometry *c, const float *plane, const struct run *run, float *to,
                          int64_t step)
{
    const float *rows[4];
    for (int r = 0; r < 4; r++) {
        int64_t y = 2 * run->row + r - c->padding[1];
        rows[r] = y >= 0 && y < c->in[1] ? plane + y * c->in[2] : NULL;
    }
    for (int j = 0; j < run->count; j += DIT_LANES) {
        vec d[4][4];
        int64_t at = 2 * (run->column + j) - c->padding[2], count = run->count - j;
        for (int r = 0; r < 4; r++)
            transform_columns(rows[r], at, c->in[2], d[r]);
        VEC_UNROLL
        for (int s = 0; s < 4; s++) {
            float *place = to + s * step + j;
            vec_store_part(place, d[0][s] - d[2][s], count);
            vec_store_part(place + 4 * step, d[1][s] + d[2][s], count);
            vec_store_part(place + 8 * step, d[2][s] - d[1][s], count);
            vec_store_part(place + 12 * step, d[1][s] - d[3][s], count);
        }
    }
}

// The same from the picture before it was doubled: tile j sees its columns j - 1, j, j and j + 1, and rows likewise.
// Places in the third row or column are left out.
static void transform_doubled_run(const dit_conv_geometry *c, const float *plane, const struct run *run, float *to,
                                  int64_t step)
{
    const float *rows[3];
    int64_t height = c->in[1] / 2, width = c->in[2] / 2;
    for (int r = 0; r < 3; r++) {
        int64_t y = run->row + r - 1;
        rows[r] = y >= 0 && y < height ? plane + y * width : NULL;
    }
    for (int j = 0; j < run->count; j += DIT_LANES) {
        vec d[3][3]; // [row][column]
        int64_t at = run->column + j, count = run->count - j;
        for (int r = 0; r < 3; r++) {
            vec left = pixels(rows[r], at - 1, width), here = pixels(rows[r], at, width),
                right = pixels(rows[r], at + 1, width);
            d[r][0] = left - here;
            d[r][1] = here + here;
            d[r][2] = here - right;
        }
        VEC_UNROLL
        for (int s = 0; s < 3; s++) {
            float *place = to + (s == 2 ? 3 : s) * step + j;
            vec_store_part(place, d[0][s] - d[1][s], count);
            vec_store_part(place + 4 * step, d[1][s] + d[1][s], count);
            vec_store_part(place + 12 * step, d[1][s] - d[2][s], count);
        }
    }
}

// Panels p0 to p1 of a picture, as tile.h wants the right side of a product: tiles[place][panel][channel][PANEL].
static void transform_tiles(const dit_winograd *w, const struct cut *cut, const float *x, int64_t p0, int64_t p1,
                            float *tiles)
{
    const dit_conv_geometry *c = &w->geometry;
    int64_t size = c->in[1] * c->in[2] / (w->doubled ? 4 : 1), step = (p1 - p0) * c->C * PANEL;
    for (int64_t p = p0; p < p1; p++) {
        struct run runs[PANEL];
        int count = find_runs(cut, p, runs);
        for (int64_t i = 0; i < c->C; i++)
            for (int r = 0; r < count; r++) {
                float *to = tiles + ((p - p0) * c->C + i) * PANEL + runs[r].at;
                if (w->doubled)
                    transform_doubled_run(c, x + i * size, &runs[r], to, step);
                else
                    transform_run(c, x + i * size, &runs[r], to, step);
            }
    }
}

// Sums and results
// ---------------------------------------------------------------------------------------------------------------

static bool is_zero(const dit_winograd *w, int place)
{
    return w->doubled && (place / 4 == 2 || place % 4 == 2);
}

// The 16 products of a block: sums[place][o][panel][PANEL] over the channels.
static void multiply(const dit_winograd *w, const float *weights, const float *tiles, int64_t panels, float *sums)
{
    const dit_conv_geometry *c = &w->geometry;
    int64_t bands = dit_divide_up(c->O, ROWS), row = panels * PANEL;
    for (int place = 0; place < PLACES; place++) {
        if (is_zero(w, place))
            continue;
        for (int64_t b = 0; b < bands; b++) {
            int64_t o = dit_part(c->O, bands, b);
            int rows = (int)(dit_part(c->O, bands, b + 1) - o);
            dit_tile tile = dit_tiles[DIT_F32][DIT_TILE_VECTORS - 1][rows - 1];
            for (int64_t p = 0; p < panels; p++)
                tile(c->C, weights + (place * c->O + o) * c->C, c->C, 1, tiles + (place * panels + p) * c->C * PANEL,
                     PANEL, sums + (place * c->O + o) * row + p * PANEL, row);
        }
    }
}

// A^T m A for DIT_LANES tiles: y[0..1] are the upper left and right pixels, y[2..3] the lower ones. m[place * step].
VEC_INLINE void transform_back(const float *m, int64_t step, bool doubled, vec y[4])
{
    vec upper[4], lower[4];
    VEC_UNROLL
    for (int s = 0; s < 4; s++) {
        if (doubled && s == 2) {
            upper[s] = lower[s] = (vec){0};
            continue;
        }
        vec m0 = vec_load(m + s * step), m1 = vec_load(m + (4 + s) * step),
            m2 = doubled ? (vec){0} : vec_load(m + (8 + s) * step), m3 = vec_load(m + (12 + s) * step);
        upper[s] = m0 + m1 + m2;
        lower[s] = m1 - m2 - m3;
    }
    y[0] = upper[0] + upper[1] + upper[2];
    y[1] = upper[1] - upper[2] - upper[3];
    y[2] = lower[0] + lower[1] + lower[2];
    y[3] = lower[1] - lower[2] - lower[3];
}

// One row of pixels of a run: left and right pixels of its tiles, between each other, to y (`width` pixels from the
// run's first one on).
static void store_row(const float *left, const float *right, int64_t count, const float *residual, float *y,
                      int64_t width)
{
    int64_t whole = count < width / 2 ? count : width / 2;
    if (residual) {
#pragma omp simd
        for (int64_t j = 0; j < whole; j++) {
            y[2 * j] = residual[2 * j] + left[j];
            y[2 * j + 1] = residual[2 * j + 1] + right[j];
        }
    } else {
#pragma omp simd
        for (int64_t j = 0; j < whole; j++) {
            y[2 * j] = left[j];
            y[2 * j + 1] = right[j];
        }
    }
    if (whole < count)
        y[2 * whole] = left[whole] + (residual ? residual[2 * whole] : 0);
}

// One panel of output channel `o` of a picture, whose planes begin at `plane` in y and in the residual.
static void finish_panel(const dit_winograd *w, const float *m, int64_t step, int64_t o, const struct run *runs,
                         int count, int64_t plane)
{
    const dit_conv_geometry *c = &w->geometry;
    float pixel[4][PANEL], bias = w->bias ? w->bias[o] : 0;
    for (int j = 0; j < PANEL; j += DIT_LANES) {
        vec y[4];
        if (w->doubled)
            transform_back(m + j, step, true, y);
        else
            transform_back(m + j, step, false, y);
        for (int k = 0; k < 4; k++)
            vec_store(pixel[k] + j, finish_activated(w->activation, y[k] + bias));
    }
    for (int r = 0; r < count; r++)
        for (int k = 0; k < 2 && 2 * runs[r].row + k < c->out[1]; k++) {
            int64_t at = plane + (2 * runs[r].row + k) * c->out[2] + 2 * runs[r].column;
            store_row(pixel[2 * k] + runs[r].at, pixel[2 * k + 1] + runs[r].at, runs[r].count,
                      w->residual ? w->residual + at : NULL, w->y + at, c->out[2] - 2 * runs[r].column);
        }
}

static void run_block(const dit_winograd *w, const struct cut *cut, const float *weights, int64_t picture, int64_t p0,
                      int64_t p1, float *tiles, float *sums)
{
    const dit_conv_geometry *c = &w->geometry;
    int64_t in = c->C * c->in[1] * c->in[2] / (w->doubled ? 4 : 1), out = c->out[1] * c->out[2], panels = p1 - p0;
    transform_tiles(w, cut, w->x + picture * in, p0, p1, tiles);
    multiply(w, weights, tiles, panels, sums);
    for (int64_t p = 0; p < panels; p++) {
        struct run runs[PANEL];
        int count = find_runs(cut, p0 + p, runs);
        for (int64_t o = 0; o < c->O; o++)
            finish_panel(w, sums + (o * panels + p) * PANEL, c->O * panels * PANEL, o, runs, count,
                         (picture * c->O + o) * out);
    }
}

void dit_winograd_run(const dit_winograd *w, void *workspace)
{
    const dit_conv_geometry *c = &w->geometry;
    struct cut cut = cut_of(c);
    int64_t each = thread_floats(c, &cut);
    float *weights = workspace, *scratch = weights + weight_floats(c);
#pragma omp parallel num_threads(dit_cpu_threads())
    {
#pragma omp for schedule(static)
        for (int64_t o = 0; o < c->O; o++)
            transform_filters(c, w->weight, o, weights);
        float *tiles = scratch + each * omp_get_thread_num(), *sums = tiles + PLACES * cut.per_block * PANEL * c->C;
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < c->B * cut.blocks; i++) {
            int64_t b = i % cut.blocks;
            run_block(w, &cut, weights, i / cut.blocks, dit_part(cut.panels, cut.blocks, b),
                      dit_part(cut.panels, cut.blocks, b + 1), tiles, sums);
        }
    }
}
