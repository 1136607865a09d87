// backend/cpu/pack.h: matrices rearranged into the panels that a tile walks along.
#ifndef DIT_BACKEND_CPU_PACK_H
#define DIT_BACKEND_CPU_PACK_H

#include "backend/cpu/tile.h"

// B, (k, columns), columns <= DIT_TILE_COLUMNS, as a panel: panel[p * DIT_TILE_COLUMNS + j] = b[p * b_row + j * b_col],
// zero for j >= columns. Strides in elements. Elements of `dtype` are widened to f32.
#define dit_pack_panel DIT_CPU_SYMBOL(dit_pack_panel)
void dit_pack_panel(dit_dtype dtype, const void *b, int64_t b_row, int64_t b_col, int64_t k, int columns, float *panel);

// Likewise, keeping elements as they are: the panel has the dtype of b.
#define dit_pack_panel_as_stored DIT_CPU_SYMBOL(dit_pack_panel_as_stored)
void dit_pack_panel_as_stored(dit_dtype dtype, const void *b, int64_t b_row, int64_t b_col, int64_t k, int columns,
                              void *panel);

// A, (rows, k), rows <= DIT_TILE_ROWS, so that columns follow each other: panel[p * DIT_TILE_ROWS + i] =
// a[i * a_row + p * a_k]. For an A whose rows, not columns, lie side by side in memory.
#define dit_pack_rows DIT_CPU_SYMBOL(dit_pack_rows)
void dit_pack_rows(const float *a, int64_t a_row, int64_t a_k, int64_t k, int rows, float *panel);

#endif
