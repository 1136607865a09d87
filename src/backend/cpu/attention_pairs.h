// backend/cpu/attention_pairs.h: the products of an attention in bf16, by pairs (tile.h).
#ifndef DIT_BACKEND_CPU_ATTENTION_PAIRS_H
#define DIT_BACKEND_CPU_ATTENTION_PAIRS_H

#include "backend/cpu/attention.h"

// As many elements in pairs: the last one stands beside a zero where n is odd.
static inline int64_t dit_even(int64_t n)
{
    return (n + 1) / 2 * 2;
}

// Panels of x^T, (even D, count), in pairs along D, for `count` tokens from t on of a head.
static inline void dit_pack_pairs_transposed(const dit_heads *x, int64_t b, int64_t h, int64_t t, int64_t count,
                                             int64_t D, uint16_t *panels)
{
    for (int64_t n = 0; n < count; n += DIT_TILE_COLUMNS)
        dit_pack_panel_as_stored(DIT_BF16, dit_heads_at(x, b, t + n, h), 1, x->t, D,
                                 (int)(count - n < DIT_TILE_COLUMNS ? count - n : DIT_TILE_COLUMNS),
                                 panels + n * dit_even(D));
}

// Panels of x, (even count, D), in pairs along the tokens.
static inline void dit_pack_pairs_straight(const dit_heads *x, int64_t b, int64_t h, int64_t t, int64_t count,
                                           int64_t D, uint16_t *panels)
{
    static const uint16_t none[DIT_TILE_COLUMNS]; // after an odd count
    for (int64_t n = 0; n < D; n += DIT_TILE_COLUMNS) {
        int columns = (int)(D - n < DIT_TILE_COLUMNS ? D - n : DIT_TILE_COLUMNS);
        for (int64_t p = 0; p < count; p += 2) {
            const uint16_t *first = (const uint16_t *)dit_heads_at(x, b, t + p, h) + n;
            const uint16_t *second = p + 1 < count ? (const uint16_t *)dit_heads_at(x, b, t + p + 1, h) + n : none;
            uint32_t pairs[DIT_TILE_COLUMNS] = {0};
#pragma omp simd
            for (int j = 0; j < columns; j++)
                pairs[j] = first[j] | (uint32_t)second[j] << 16;
            memcpy(panels + n * dit_even(count) + p * DIT_TILE_COLUMNS, pairs, sizeof pairs);
        }
    }
}

// As dit_tiles_across, of k elements, even.
static inline void dit_pairs_across(int rows, int64_t columns, int64_t k, const uint16_t *a, int64_t a_row,
                                    const uint16_t *panels, float *c, int64_t c_row)
{
    for (int64_t n = 0; n < columns; n += DIT_TILE_COLUMNS) {
        int vectors = columns - n <= DIT_LANES ? 1 : DIT_TILE_VECTORS;
        dit_pair_tiles[vectors - 1][rows - 1](k / 2, a, a_row, panels + n * k, DIT_TILE_COLUMNS, c + n, c_row);
    }
}

#endif
