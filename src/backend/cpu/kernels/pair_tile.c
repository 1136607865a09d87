// backend/cpu/kernels/pair_tile.c: the register tile in bf16: two products an element of the sum and instruction.
//
// vdpbf16ps multiplies pairs of bf16 and adds both products to an f32, rounding to nearest and taking subnormal numbers
// for zero. It does twice the work of an f32 instruction.
#include "backend/cpu/tile.h"
#include "backend/cpu/vec.h"

#if defined DIT_ISA_avx512
enum { PREFETCH_PAIRS = 8 };

#define PAIRS __attribute__((target("avx512bf16")))

// (rows, 32 columns). As in tile.c, rows of A are reached from every third one.
#define DEFINE(rows, vectors)                                                                                          \
    PAIRS static void tile_##vectors##_##rows(int64_t pairs, const uint16_t *a, int64_t a_row, const void *b,          \
                                              int64_t b_k, float *c, int64_t c_row)                                    \
    {                                                                                                                  \
        enum { BASES = (rows + 2) / 3 };                                                                               \
        __m512 sum[rows][vectors];                                                                                     \
        const char *base[BASES], *row = b;                                                                             \
        int64_t a_step = a_row * 2, step = b_k * 4;                                                                    \
        VEC_UNROLL                                                                                                     \
        for (int i = 0; i < rows; i++) {                                                                               \
            VEC_UNROLL                                                                                                 \
            for (int j = 0; j < vectors; j++)                                                                          \
                sum[i][j] = _mm512_setzero_ps();                                                                       \
        }                                                                                                              \
        VEC_UNROLL                                                                                                     \
        for (int i = 0; i < BASES; i++)                                                                                \
            base[i] = (const char *)a + 3 * i * a_step;                                                                \
        for (int64_t p = 0; p < pairs; p++) {                                                                          \
            __m512bh right[vectors];                                                                                   \
            VEC_UNROLL                                                                                                 \
            for (int j = 0; j < vectors; j++) {                                                                        \
                right[j] = (__m512bh)_mm512_loadu_si512(row + j * VEC_BYTES);                                          \
                _mm_prefetch(row + PREFETCH_PAIRS * step + j * VEC_BYTES, _MM_HINT_T0);                                \
            }                                                                                                          \
            VEC_UNROLL                                                                                                 \
            for (int i = 0; i < rows; i++) {                                                                           \
                int pair;                                                                                              \
                memcpy(&pair, base[i / 3] + i % 3 * a_step, sizeof pair);                                              \
                __m512bh left = (__m512bh)_mm512_set1_epi32(pair);                                                     \
                VEC_UNROLL                                                                                             \
                for (int j = 0; j < vectors; j++)                                                                      \
                    sum[i][j] = _mm512_dpbf16_ps(sum[i][j], left, right[j]);                                           \
            }                                                                                                          \
            VEC_UNROLL                                                                                                 \
            for (int i = 0; i < BASES; i++)                                                                            \
                base[i] += 4;                                                                                          \
            row += step;                                                                                               \
        }                                                                                                              \
        VEC_UNROLL                                                                                                     \
        for (int i = 0; i < rows; i++) {                                                                               \
            VEC_UNROLL                                                                                                 \
            for (int j = 0; j < vectors; j++)                                                                          \
                _mm512_storeu_ps(c + i * c_row + j * DIT_LANES, sum[i][j]);                                            \
        }                                                                                                              \
    }
#define EACH_ROWS(X, vectors)                                                                                          \
    X(1, vectors)                                                                                                      \
    X(2, vectors)                                                                                                      \
    X(3, vectors)                                                                                                      \
    X(4, vectors)                                                                                                      \
    X(5, vectors)                                                                                                      \
    X(6, vectors)                                                                                                      \
    X(7, vectors)                                                                                                      \
    X(8, vectors)                                                                                                      \
    X(9, vectors)                                                                                                      \
    X(10, vectors)                                                                                                     \
    X(11, vectors)                                                                                                     \
    X(12, vectors)                                                                                                     \
    X(13, vectors)                                                                                                     \
    X(14, vectors)
EACH_ROWS(DEFINE, 1)
EACH_ROWS(DEFINE, 2)

#define NAME(rows, vectors) tile_##vectors##_##rows,
const dit_pair_tile dit_pair_tiles[DIT_TILE_VECTORS][DIT_TILE_ROWS] = {{EACH_ROWS(NAME, 1)}, {EACH_ROWS(NAME, 2)}};
#else
typedef int pair_tile_is_for_avx512; // a file must hold something
#endif
