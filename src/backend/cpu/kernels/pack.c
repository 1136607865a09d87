// backend/cpu/kernels/pack.c: matrices rearranged into the panels that a tile walks along.
#include "backend/cpu/pack.h"
#include "backend/cpu/decode.h"
#include "backend/cpu/half.h"
#include "backend/cpu/vec.h"

enum { COLUMNS = DIT_TILE_COLUMNS };

// The rows of b lie side by side in memory: (k, columns) with b_col = 1.
VEC_INLINE void pack_rows_of(dit_dtype dtype, const void *b, int64_t b_row, int64_t k, int columns, float *panel)
{
    for (int64_t p = 0; p < k; p++) {
        float *to = panel + p * COLUMNS;
        if (columns == COLUMNS) {
            VEC_UNROLL
            for (int j = 0; j < DIT_TILE_VECTORS; j++)
                vec_store(to + j * DIT_LANES, vec_load_as(dtype, b, p * b_row + j * DIT_LANES));
            continue;
        }
        for (int j = 0; j < columns; j++)
            to[j] = scalar_load_as(dtype, b, p * b_row + j);
        for (int j = columns; j < COLUMNS; j++)
            to[j] = 0;
    }
}

// The columns of b lie side by side, b_row = 1: squares of DIT_LANES x DIT_LANES are transposed in registers.
VEC_INLINE void pack_columns_of(dit_dtype dtype, const void *b, int64_t b_col, int64_t k, int columns, float *panel)
{
    for (int first = 0; first < COLUMNS; first += DIT_LANES) {
        int64_t p = 0;
        for (; p + DIT_LANES <= k; p += DIT_LANES) {
            vec square[DIT_LANES];
            if (first + DIT_LANES <= columns) {
                VEC_UNROLL
                for (int j = 0; j < DIT_LANES; j++)
                    square[j] = vec_load_as(dtype, b, (first + j) * b_col + p);
            } else {
                VEC_UNROLL
                for (int j = 0; j < DIT_LANES; j++)
                    square[j] = first + j < columns ? vec_load_as(dtype, b, (first + j) * b_col + p) : (vec){0};
            }
            vec_transpose(square);
            VEC_UNROLL
            for (int i = 0; i < DIT_LANES; i++)
                vec_store(panel + (p + i) * COLUMNS + first, square[i]);
        }
        for (; p < k; p++)
            for (int j = first; j < first + DIT_LANES; j++)
                panel[p * COLUMNS + j] = j < columns ? scalar_load_as(dtype, b, j * b_col + p) : 0;
    }
}

VEC_INLINE void pack_any(dit_dtype dtype, const void *b, int64_t b_row, int64_t b_col, int64_t k, int columns,
                         float *panel)
{
    if (b_col == 1)
        pack_rows_of(dtype, b, b_row, k, columns, panel);
    else if (b_row == 1)
        pack_columns_of(dtype, b, b_col, k, columns, panel);
    else
        for (int64_t p = 0; p < k; p++)
            for (int j = 0; j < COLUMNS; j++)
                panel[p * COLUMNS + j] = j < columns ? scalar_load_as(dtype, b, p * b_row + j * b_col) : 0;
}

void dit_pack_panel(dit_dtype dtype, const void *b, int64_t b_row, int64_t b_col, int64_t k, int columns, float *panel)
{
    if (dtype == DIT_F32)
        pack_any(DIT_F32, b, b_row, b_col, k, columns, panel);
    else if (dtype == DIT_BF16)
        pack_any(DIT_BF16, b, b_row, b_col, k, columns, panel);
    else
        pack_any(DIT_F16, b, b_row, b_col, k, columns, panel);
}

// Columns outermost reads memory in order; a stretch at a time stays in the first cache: twice as fast as all of k.
// Element (p, j) goes to panel[p / together * together * COLUMNS + together * j + p % together].
VEC_INLINE void pack_halves(int together, const uint16_t *b, int64_t b_row, int64_t b_col, int64_t k, int columns,
                            uint16_t *panel)
{
    enum { STRETCH = 256 };
    int64_t padded = (k + together - 1) / together * together;
    for (int64_t p0 = 0; p0 < padded; p0 += STRETCH) {
        int64_t p1 = padded - p0 < STRETCH ? padded : p0 + STRETCH;
        for (int j = 0; j < COLUMNS; j++)
            for (int64_t p = p0; p < p1; p++)
                panel[p / together * together * COLUMNS + together * j + p % together] =
                    j < columns && p < k ? b[p * b_row + j * b_col] : 0;
    }
}

void dit_pack_panel_as_stored(dit_dtype dtype, const void *b, int64_t b_row, int64_t b_col, int64_t k, int columns,
                              void *panel)
{
    if (dtype == DIT_F32)
        dit_pack_panel(dtype, b, b_row, b_col, k, columns, panel);
    else if (dtype == DIT_BF16 && b_row == 1 && b_col % 2 == 0 && k % 2 == 0 && (uintptr_t)b % sizeof(float) == 0)
        // a pair is moved as a float is
        dit_pack_panel(DIT_F32, b, 1, b_col / 2, k / 2, columns, panel);
    else
        pack_halves(dtype == DIT_BF16 ? 2 : 1, b, b_row, b_col, k, columns, panel);
}

void dit_pack_decoded_columns(dit_dtype format, const void *matrix, int64_t row, int64_t r0, int64_t e0, int64_t k,
                              int columns, dit_dtype dtype, void *panel)
{
    enum { RUN = 256 }; // of a row: every format's block divides it, and COLUMNS of them stay in the first cache
    float decoded[COLUMNS * RUN] __attribute__((aligned(64)));
    uint16_t rounded[COLUMNS * RUN] __attribute__((aligned(64)));
    const char *rows = (const char *)matrix + r0 * dit_row_bytes(format, row);
    for (int64_t p = 0; p < k; p += RUN) {
        int64_t n = k - p < RUN ? k - p : RUN;
        for (int j = 0; j < columns; j++) {
            dit_decode(format, rows + j * dit_row_bytes(format, row), e0 + p, n, decoded + j * RUN);
            if (dtype == DIT_BF16)
                dit_round_bf16(rounded + j * RUN, decoded + j * RUN, n);
        }
        if (dtype == DIT_BF16)
            dit_pack_panel_as_stored(DIT_BF16, rounded, 1, RUN, n, columns, (uint16_t *)panel + p * COLUMNS);
        else
            dit_pack_panel(DIT_F32, decoded, 1, RUN, n, columns, (float *)panel + p * COLUMNS);
    }
}

void dit_pack_decoded_rows(dit_dtype format, const void *matrix, int64_t row, int64_t r0, int64_t k, int64_t e0,
                           int64_t e1, float *panels, int64_t panel_step)
{
    enum { RUN = 512 };
    float decoded[RUN];
    int64_t block = dit_dtype_block(format);
    for (int64_t p = 0; p < k; p++) {
        const char *stored = (const char *)matrix + (r0 + p) * dit_row_bytes(format, row);
        for (int64_t at = e0 / block * block; at < e1; at += RUN) {
            int64_t n = row - at < RUN ? row - at : RUN, first = at < e0 ? e0 : at, end = at + n < e1 ? at + n : e1;
            dit_decode(format, stored, at, end - at == n ? n : (end - at + block - 1) / block * block, decoded);
            for (int64_t e = first; e < end; e += COLUMNS) {
                int64_t columns = end - e < COLUMNS ? end - e : COLUMNS;
                float *to = panels + (e - e0) / COLUMNS * panel_step + p * COLUMNS;
                memcpy(to, decoded + (e - at), (size_t)columns * sizeof *to);
                memset(to + columns, 0, (size_t)(COLUMNS - columns) * sizeof *to);
            }
        }
    }
}

// A constant count of bytes becomes a few moves.
VEC_INLINE void pack_side_by_side(const float *a, int64_t a_k, int64_t k, int rows, float *panel)
{
    for (int64_t p = 0; p < k; p++)
        memcpy(panel + p * DIT_TILE_ROWS, a + p * a_k, (size_t)rows * sizeof(float));
}

void dit_pack_rows(const float *a, int64_t a_row, int64_t a_k, int64_t k, int rows, float *panel)
{
    if (a_row == 1 && rows == DIT_TILE_ROWS)
        pack_side_by_side(a, a_k, k, DIT_TILE_ROWS, panel);
    else if (a_row == 1 && rows == DIT_TILE_ROWS - 1)
        pack_side_by_side(a, a_k, k, DIT_TILE_ROWS - 1, panel);
    else
        for (int64_t p = 0; p < k; p++)
            for (int i = 0; i < rows; i++)
                panel[p * DIT_TILE_ROWS + i] = a[i * a_row + p * a_k];
}
