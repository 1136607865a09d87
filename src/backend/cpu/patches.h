// backend/cpu/patches.h: the matrix of patches under a convolution, read a few columns at a time and never made whole.
//
// Its rows are (channel, tap), its columns the positions of a grid. Element (channel, tap, position) is the picture's
// at base + tap * tap_step + position * step along each axis, zero outside.
#ifndef DIT_BACKEND_CPU_PATCHES_H
#define DIT_BACKEND_CPU_PATCHES_H

#include "backend/conv_geometry.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/vec.h"

typedef struct dit_patches {
    int64_t picture[3], grid[3], taps[3];
    int64_t step[3], tap_step[3], base[3];
} dit_patches;

// The patches of a convolution's input, for each of its outputs.
static inline dit_patches dit_patches_of(const dit_conv_geometry *c)
{
    dit_patches p;
    for (int i = 0; i < 3; i++) {
        p.picture[i] = c->in[i];
        p.grid[i] = c->out[i];
        p.taps[i] = c->kernel[i];
        p.step[i] = c->stride[i];
        p.tap_step[i] = c->dilation[i];
        p.base[i] = -c->padding[i];
    }
    return p;
}

static inline int64_t dit_volume(const int64_t extent[3])
{
    return extent[0] * extent[1] * extent[2];
}

// Positions that follow each other in one row of the grid.
typedef struct dit_run {
    int at, count;   // among the positions asked for
    int64_t from[3]; // where the first one's patch lies, without base and tap
} dit_run;

// Cuts positions n0 to n0 + count <= DIT_TILE_COLUMNS into runs; returns how many.
static inline int dit_find_runs(const dit_patches *p, int64_t n0, int count, dit_run runs[DIT_TILE_COLUMNS])
{
    int found = 0;
    for (int at = 0; at < count; found++) {
        int64_t n = n0 + at, column = n % p->grid[2], left = p->grid[2] - column;
        int run = left < count - at ? (int)left : count - at;
        runs[found] = (dit_run){
            at,
            run,
            {n / p->grid[2] / p->grid[1] * p->step[0], n / p->grid[2] % p->grid[1] * p->step[1], column * p->step[2]}};
        at += run;
    }
    return found;
}

// A row of the matrix: channel and tap, stepped through in order.
typedef struct dit_patch_row {
    int64_t channel, tap[3];
} dit_patch_row;

static inline dit_patch_row dit_patch_row_at(const dit_patches *p, int64_t k)
{
    int64_t taps = dit_volume(p->taps), tap = k % taps;
    return (dit_patch_row){k / taps, {tap / p->taps[2] / p->taps[1], tap / p->taps[2] % p->taps[1], tap % p->taps[2]}};
}

static inline void dit_patch_row_next(const dit_patches *p, dit_patch_row *row)
{
    for (int i = 2; i >= 0; i--) {
        if (++row->tap[i] < p->taps[i])
            return;
        row->tap[i] = 0;
    }
    row->channel++;
}

// Elements of one row of the matrix for some runs, into to[run.at..]; up to DIT_LANES - 1 floats after them are spoilt.
static inline void dit_fetch(const dit_patches *p, const float *x, const dit_patch_row *row, const dit_run *runs,
                             int count, float *to)
{
    for (int r = 0; r < count; r++) {
        const dit_run *run = &runs[r];
        int64_t at[3];
        for (int i = 0; i < 3; i++)
            at[i] = run->from[i] + p->base[i] + row->tap[i] * p->tap_step[i];
        bool outside = at[0] < 0 || at[0] >= p->picture[0] || at[1] < 0 || at[1] >= p->picture[1];
        // The row of the picture; lanes of `line` count from the first element of the run.
        const float *line =
            x + ((row->channel * p->picture[0] + (outside ? 0 : at[0])) * p->picture[1] + (outside ? 0 : at[1])) *
                    p->picture[2];
        int64_t first = outside ? run->count : -at[2], end = outside ? 0 : p->picture[2] - at[2];
        if (p->step[2] == 1 || outside)
            for (int64_t j = 0; j < run->count; j += DIT_LANES)
                vec_store(to + run->at + j,
                          vec_load_part(line + at[2] + j, first - j, (end < run->count ? end : run->count) - j));
        else
            for (int64_t j = 0; j < run->count; j++) {
                int64_t column = at[2] + j * p->step[2];
                to[run->at + j] = column >= 0 && column < p->picture[2] ? line[column] : 0;
            }
    }
}

// Where one tap's element for a run lies in a channel, and which of the run's elements are inside the picture.
typedef struct dit_tap_line {
    int64_t offset, first, end;
} dit_tap_line;

enum { DIT_MOST_TAP_LINES = 128 };

static inline dit_tap_line dit_tap_line_of(const dit_patches *p, const dit_run *run, const int64_t tap[3])
{
    int64_t at[3];
    for (int i = 0; i < 3; i++)
        at[i] = run->from[i] + p->base[i] + tap[i] * p->tap_step[i];
    if (at[0] < 0 || at[0] >= p->picture[0] || at[1] < 0 || at[1] >= p->picture[1])
        return (dit_tap_line){0, 0, 0};
    return (dit_tap_line){(at[0] * p->picture[1] + at[1]) * p->picture[2] + at[2], -at[2], p->picture[2] - at[2]};
}

// dit_pack_patches where the step along rows is 1 and taps times runs are few: what does not depend on the channel is
// worked out once.
static inline void dit_pack_lines(const dit_patches *p, const float *x, const dit_run *runs, int count, int64_t k0,
                                  int64_t k, int columns, float *panel)
{
    dit_tap_line lines[DIT_MOST_TAP_LINES];
    int64_t taps = dit_volume(p->taps), channel_size = dit_volume(p->picture);
    dit_patch_row row = {0};
    for (int64_t tap = 0; tap < taps; tap++, dit_patch_row_next(p, &row))
        for (int r = 0; r < count; r++)
            lines[tap * count + r] = dit_tap_line_of(p, &runs[r], row.tap);
    int64_t tap = k0 % taps;
    const float *channel = x + k0 / taps * channel_size;
    for (int64_t i = 0; i < k; i++) {
        float *to = panel + i * DIT_TILE_COLUMNS, fetched[DIT_TILE_COLUMNS + DIT_LANES];
        const dit_tap_line *line = &lines[tap * count];
        if (count == 1 && columns == DIT_TILE_COLUMNS) {
            for (int j = 0; j < DIT_TILE_COLUMNS; j += DIT_LANES)
                vec_store(to + j, vec_load_part(channel + line->offset + j, line->first - j, line->end - j));
        } else {
            for (int r = 0; r < count; r++)
                for (int j = 0; j < runs[r].count; j += DIT_LANES)
                    vec_store(fetched + runs[r].at + j,
                              vec_load_part(channel + line[r].offset + j, line[r].first - j,
                                            (line[r].end < runs[r].count ? line[r].end : runs[r].count) - j));
            for (int j = columns; j < DIT_TILE_COLUMNS; j++)
                fetched[j] = 0;
            for (int j = 0; j < DIT_TILE_COLUMNS; j += DIT_LANES)
                vec_store(to + j, vec_load(fetched + j));
        }
        if (++tap == taps) {
            tap = 0;
            channel += channel_size;
        }
    }
}

// A dit_gemm_pack: rows of the product's B are rows of the matrix, columns are positions. `b` is the picture,
// `pack_context` the patches.
static inline void dit_pack_patches(const dit_gemm *g, int64_t k0, int64_t k, int64_t n0, int columns, float *panel)
{
    const dit_patches *p = g->pack_context;
    dit_run runs[DIT_TILE_COLUMNS];
    int count = dit_find_runs(p, n0, columns, runs);
    if (p->step[2] == 1 && dit_volume(p->taps) * count <= DIT_MOST_TAP_LINES) {
        dit_pack_lines(p, g->b, runs, count, k0, k, columns, panel);
        return;
    }
    dit_patch_row row = dit_patch_row_at(p, k0);
    for (int64_t i = 0; i < k; i++, dit_patch_row_next(p, &row)) {
        float fetched[DIT_TILE_COLUMNS + DIT_LANES];
        dit_fetch(p, g->b, &row, runs, count, fetched);
        for (int j = columns; j < DIT_TILE_COLUMNS; j++)
            fetched[j] = 0;
        for (int j = 0; j < DIT_TILE_COLUMNS; j += DIT_LANES)
            vec_store(panel + i * DIT_TILE_COLUMNS + j, vec_load(fetched + j));
    }
}

// The same for the transposed matrix: rows of B are positions, columns are (channel, tap).
static inline void dit_pack_patches_transposed(const dit_gemm *g, int64_t k0, int64_t k, int64_t n0, int columns,
                                               float *panel)
{
    const dit_patches *p = g->pack_context;
    for (int64_t i = 0; i < k; i += DIT_LANES) {
        dit_run runs[DIT_TILE_COLUMNS];
        int positions = k - i < DIT_LANES ? (int)(k - i) : DIT_LANES;
        int count = dit_find_runs(p, k0 + i, positions, runs);
        dit_patch_row row = dit_patch_row_at(p, n0);
        for (int first = 0; first < DIT_TILE_COLUMNS; first += DIT_LANES) {
            vec square[DIT_LANES];
            for (int j = 0; j < DIT_LANES; j++) {
                float fetched[2 * DIT_LANES] = {0};
                if (first + j < columns) {
                    dit_fetch(p, g->b, &row, runs, count, fetched);
                    dit_patch_row_next(p, &row);
                }
                square[j] = vec_load(fetched);
            }
            vec_transpose(square);
            for (int s = 0; s < positions; s++)
                vec_store(panel + (i + s) * DIT_TILE_COLUMNS + first, square[s]);
        }
    }
}

#endif
