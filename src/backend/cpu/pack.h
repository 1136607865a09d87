// backend/cpu/pack.h: matrices rearranged into the panels that a tile walks along.
#ifndef DIT_BACKEND_CPU_PACK_H
#define DIT_BACKEND_CPU_PACK_H

#include "backend/cpu/tile.h"

// B, (k, columns), columns <= DIT_TILE_COLUMNS, as a panel: panel[p * DIT_TILE_COLUMNS + j] = b[p * b_row + j * b_col],
// zero for j >= columns. Strides in elements. Elements of `dtype` are widened to f32.
#define dit_pack_panel DIT_CPU_SYMBOL(dit_pack_panel)
void dit_pack_panel(dit_dtype dtype, const void *b, int64_t b_row, int64_t b_col, int64_t k, int columns, float *panel);

// Likewise, keeping elements as they are: the panel has the dtype of b, and holds a bf16 B in pairs (tile.h), of which
// the last is half empty when k is odd.
#define dit_pack_panel_as_stored DIT_CPU_SYMBOL(dit_pack_panel_as_stored)
void dit_pack_panel_as_stored(dit_dtype dtype, const void *b, int64_t b_row, int64_t b_col, int64_t k, int columns,
                              void *panel);

// A stored matrix of quantised rows, `row` elements each, from row r0 and element e0, both multiples of the format's
// block or 0: its elements decoded as B.
//   _columns: stored rows are B's columns; e0 to e0 + k of rows r0 to r0 + columns become one panel, of f32 or rounded
//   to
//             bf16 in pairs
//   _rows: stored rows are B's rows; elements e0 to e1 of rows r0 to r0 + k become panels, `panel_step` floats apart;
//          e0 is a multiple of DIT_TILE_COLUMNS, no more
#define dit_pack_decoded_columns DIT_CPU_SYMBOL(dit_pack_decoded_columns)
void dit_pack_decoded_columns(dit_dtype format, const void *matrix, int64_t row, int64_t r0, int64_t e0, int64_t k,
                              int columns, dit_dtype dtype, void *panel);
#define dit_pack_decoded_rows DIT_CPU_SYMBOL(dit_pack_decoded_rows)
void dit_pack_decoded_rows(dit_dtype format, const void *matrix, int64_t row, int64_t r0, int64_t k, int64_t e0,
                           int64_t e1, float *panels, int64_t panel_step);

// A, (rows, k), rows <= DIT_TILE_ROWS, so that columns follow each other: panel[p * DIT_TILE_ROWS + i] =
// a[i * a_row + p * a_k]. For an A whose rows, not columns, lie side by side in memory.
#define dit_pack_rows DIT_CPU_SYMBOL(dit_pack_rows)
void dit_pack_rows(const float *a, int64_t a_row, int64_t a_k, int64_t k, int rows, float *panel);

#endif
