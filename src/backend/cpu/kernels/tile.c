// backend/cpu/kernels/tile.c: the register tile for each number of rows, width and element type of B.
#include "backend/cpu/tile.h"
#include "backend/cpu/vec.h"
#include <stdbool.h>

// Whether both halves of a bf16 pair are multiplied by one body of the loop. In AVX-512 the compiler moves a dozen sums
// to memory and back between two bodies (a sixth of the time); in AVX2 finding out the half costs as much.
#if defined DIT_ISA_avx512
enum { ONE_BODY = 1 };
#else
enum { ONE_BODY = 0 };
#endif

// Bytes of B are asked for this many rows ahead: 1 KiB of an f32 panel in AVX-512 (+3 to 5% against none).
enum { PREFETCH_ROWS = 8, BASES = (DIT_TILE_ROWS + 2) / 3 };

// One register of a row of B, which begins at `row`; of a bf16 B of the `upper` or the lower halves of the pairs there.
VEC_INLINE vec load_right(dit_dtype dtype, const char *row, int j, bool upper)
{
    if (dtype != DIT_BF16)
        return vec_load_as(dtype, row, j * DIT_LANES);
    row += j * VEC_BYTES;
#if defined DIT_ISA_avx512 // lower halves are upper ones of what begins two bytes before, which is not read
    return (vec)_mm512_maskz_loadu_epi16(0xaaaaaaaau, row - (upper ? 0 : 2));
#else
    vec_bits pairs;
    memcpy(&pairs, row, sizeof pairs);
    return (vec)(upper ? pairs & 0xffff0000u : pairs << 16);
#endif
}

// One step along k. The rows of A are reached from every third one, so that a handful of pointers and one stride are
// all that the addresses take.
VEC_INLINE void add_products(int rows, int vectors, dit_dtype dtype, const float **base, int64_t a_row, int64_t a_k,
                             const char *row, bool upper, vec sum[DIT_TILE_ROWS][DIT_TILE_VECTORS])
{
    vec right[DIT_TILE_VECTORS];
    VEC_UNROLL
    for (int j = 0; j < vectors; j++)
        right[j] = load_right(dtype, row, j, upper);
    VEC_UNROLL
    for (int i = 0; i < rows; i++) {
        vec left = vec_splat(base[i / 3][i % 3 * a_row]);
        VEC_UNROLL
        for (int j = 0; j < vectors; j++)
            sum[i][j] += left * right[j];
    }
    VEC_UNROLL
    for (int i = 0; i < BASES; i++)
        base[i] += a_k;
}

VEC_INLINE void prefetch_ahead(int vectors, const char *row, int64_t step)
{
    VEC_UNROLL
    for (int j = 0; j < vectors; j++)
        if (j * VEC_BYTES % 64 == 0)
            __builtin_prefetch(row + PREFETCH_ROWS * step + j * VEC_BYTES);
}

// Fully specialised wherever it is inlined: rows, vectors and dtype are constants.
VEC_INLINE void multiply(int rows, int vectors, dit_dtype dtype, int64_t k, const float *a, int64_t a_row, int64_t a_k,
                         const void *b, int64_t b_k, float *c, int64_t c_row)
{
    vec sum[DIT_TILE_ROWS][DIT_TILE_VECTORS];
    VEC_UNROLL
    for (int i = 0; i < rows; i++) {
        VEC_UNROLL
        for (int j = 0; j < vectors; j++)
            sum[i][j] = (vec){0};
    }
    const float *base[BASES];
    VEC_UNROLL
    for (int i = 0; i < BASES; i++)
        base[i] = a + (3 * i < rows ? 3 * i * a_row : 0);
    const char *row = b;
    const int64_t step = b_k * (dtype == DIT_F16 ? 2 : 4);
    int64_t p = 0;
    for (; dtype == DIT_BF16 && !ONE_BODY && p + 2 <= k; p += 2) {
        prefetch_ahead(vectors, row, step);
        add_products(rows, vectors, dtype, base, a_row, a_k, row, false, sum);
        add_products(rows, vectors, dtype, base, a_row, a_k, row, true, sum);
        row += step;
    }
    for (; p < k; p++) {
        const bool upper = dtype == DIT_BF16 && ONE_BODY && p % 2;
        prefetch_ahead(vectors, row, step);
        add_products(rows, vectors, dtype, base, a_row, a_k, row, upper, sum);
        row += dtype != DIT_BF16 || upper ? step : 0;
    }
    VEC_UNROLL
    for (int i = 0; i < rows; i++) {
        VEC_UNROLL
        for (int j = 0; j < vectors; j++)
            vec_store(c + i * c_row + j * DIT_LANES, sum[i][j]);
    }
}

#define DEFINE(rows, vectors, dtype)                                                                                   \
    static void tile_##dtype##_##vectors##_##rows(int64_t k, const float *a, int64_t a_row, int64_t a_k,               \
                                                  const void *b, int64_t b_k, float *c, int64_t c_row)                 \
    {                                                                                                                  \
        multiply(rows, vectors, dtype, k, a, a_row, a_k, b, b_k, c, c_row);                                            \
    }
DIT_EACH_TILE(DEFINE, 1, DIT_F32)
DIT_EACH_TILE(DEFINE, 2, DIT_F32)
DIT_EACH_TILE(DEFINE, 1, DIT_F16)
DIT_EACH_TILE(DEFINE, 2, DIT_F16)
DIT_EACH_TILE(DEFINE, 1, DIT_BF16)
DIT_EACH_TILE(DEFINE, 2, DIT_BF16)

#define NAME(rows, vectors, dtype) tile_##dtype##_##vectors##_##rows,
const dit_tile dit_tiles[3][DIT_TILE_VECTORS][DIT_TILE_ROWS] = {
    {{DIT_EACH_TILE(NAME, 1, DIT_F32)}, {DIT_EACH_TILE(NAME, 2, DIT_F32)}},
    {{DIT_EACH_TILE(NAME, 1, DIT_F16)}, {DIT_EACH_TILE(NAME, 2, DIT_F16)}},
    {{DIT_EACH_TILE(NAME, 1, DIT_BF16)}, {DIT_EACH_TILE(NAME, 2, DIT_BF16)}},
};
