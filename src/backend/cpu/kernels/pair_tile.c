// backend/cpu/kernels/pair_tile.c: the register tile in bf16: two products an element of the sum and instruction.
//
// vdpbf16ps multiplies pairs of bf16 and adds both products to an f32, rounding to nearest and taking subnormal numbers
// for zero. It does twice the work of an f32 instruction.
#include "backend/cpu/tile.h"
#include "backend/cpu/vec.h"

#if defined DIT_ISA_avx512
enum { PREFETCH_PAIRS = 8, BASES = (DIT_TILE_ROWS + 2) / 3 };

#define PAIRS __attribute__((target("avx512bf16")))

// Fully specialised wherever it is inlined, and laid out as in tile.c: rows of A are reached from every third one.
PAIRS VEC_INLINE void multiply(int rows, int vectors, int64_t pairs, const uint16_t *a, int64_t a_row, const void *b,
                               int64_t b_k, float *c, int64_t c_row)
{
    __m512 sum[DIT_TILE_ROWS][DIT_TILE_VECTORS];
    VEC_UNROLL
    for (int i = 0; i < rows; i++) {
        VEC_UNROLL
        for (int j = 0; j < vectors; j++)
            sum[i][j] = _mm512_setzero_ps();
    }
    const uint16_t *base[BASES];
    VEC_UNROLL
    for (int i = 0; i < BASES; i++)
        base[i] = a + (3 * i < rows ? 3 * i * a_row : 0);
    const char *row = b;
    int64_t step = b_k * 2 * (int64_t)sizeof *a;
    for (int64_t p = 0; p < pairs; p++) {
        __m512bh right[DIT_TILE_VECTORS];
        VEC_UNROLL
        for (int j = 0; j < vectors; j++) {
            right[j] = (__m512bh)_mm512_loadu_si512(row + j * VEC_BYTES);
            __builtin_prefetch(row + PREFETCH_PAIRS * step + j * VEC_BYTES);
        }
        VEC_UNROLL
        for (int i = 0; i < rows; i++) {
            int pair;
            memcpy(&pair, base[i / 3] + i % 3 * a_row, sizeof pair);
            __m512bh left = (__m512bh)_mm512_set1_epi32(pair);
            VEC_UNROLL
            for (int j = 0; j < vectors; j++)
                sum[i][j] = _mm512_dpbf16_ps(sum[i][j], left, right[j]);
        }
        VEC_UNROLL
        for (int i = 0; i < BASES; i++)
            base[i] += 2;
        row += step;
    }
    VEC_UNROLL
    for (int i = 0; i < rows; i++) {
        VEC_UNROLL
        for (int j = 0; j < vectors; j++)
            _mm512_storeu_ps(c + i * c_row + j * DIT_LANES, sum[i][j]);
    }
}

#define DEFINE(rows, vectors, dtype)                                                                                   \
    PAIRS static void tile_##vectors##_##rows(int64_t pairs, const uint16_t *a, int64_t a_row, const void *b,          \
                                              int64_t b_k, float *c, int64_t c_row)                                    \
    {                                                                                                                  \
        multiply(rows, vectors, pairs, a, a_row, b, b_k, c, c_row);                                                    \
    }
DIT_EACH_TILE(DEFINE, 1, )
DIT_EACH_TILE(DEFINE, 2, )

#define NAME(rows, vectors, dtype) tile_##vectors##_##rows,
const dit_pair_tile dit_pair_tiles[DIT_TILE_VECTORS][DIT_TILE_ROWS] = {{DIT_EACH_TILE(NAME, 1, )},
                                                                       {DIT_EACH_TILE(NAME, 2, )}};
#else
const dit_pair_tile dit_pair_tiles[DIT_TILE_VECTORS][DIT_TILE_ROWS] = {{0}};
#endif
