// backend/cpu/tile.h: the register tile under every product: a few rows of A times one or two vectors' width of B.
//
// A tile keeps DIT_TILE_ROWS x DIT_TILE_COLUMNS sums in registers while it walks along K: for each k it loads one row
// of B and multiplies it by one broadcast element of each row of A. So B wants to be packed in panels (DIT_TILE_COLUMNS
// wide, a row after the other), and A may lie as it lies: broadcasts read any strides.
#ifndef DIT_BACKEND_CPU_TILE_H
#define DIT_BACKEND_CPU_TILE_H

#include "backend/cpu/cpu.h"
#include "backend/cpu/isa.h"

// Sums, one row of B and one broadcast fill the registers: 14 x 2 + 3 of 32, 6 x 2 + 3 of 16.
enum {
#if defined DIT_ISA_avx512
    DIT_TILE_ROWS = 14,
#else
    DIT_TILE_ROWS = 6,
#endif
    DIT_TILE_VECTORS = 2,
    DIT_TILE_COLUMNS = DIT_TILE_VECTORS * DIT_LANES,
};

// X(rows, vectors, dtype) for every number of rows.
#define DIT_EACH_TILE_OF_6(X, vectors, dtype)                                                                          \
    X(1, vectors, dtype)                                                                                               \
    X(2, vectors, dtype)                                                                                               \
    X(3, vectors, dtype)                                                                                               \
    X(4, vectors, dtype)                                                                                               \
    X(5, vectors, dtype)                                                                                               \
    X(6, vectors, dtype)
#if defined DIT_ISA_avx512
#define DIT_EACH_TILE(X, vectors, dtype)                                                                               \
    DIT_EACH_TILE_OF_6(X, vectors, dtype)                                                                              \
    X(7, vectors, dtype)                                                                                               \
    X(8, vectors, dtype)                                                                                               \
    X(9, vectors, dtype)                                                                                               \
    X(10, vectors, dtype)                                                                                              \
    X(11, vectors, dtype)                                                                                              \
    X(12, vectors, dtype)                                                                                              \
    X(13, vectors, dtype)                                                                                              \
    X(14, vectors, dtype)
#else
#define DIT_EACH_TILE DIT_EACH_TILE_OF_6
#endif

// c[i * c_row + j] = sum over p < k of a[i * a_row + p * a_k] * b[p * b_k + j], strides in elements, for i < rows and
// j < DIT_LANES * vectors. Reads and writes nothing else, prefetches apart.
// A bf16 B lies in pairs, (k / 2 rounded up, columns, 2) with zeros where k is odd, as AVX512_BF16 wants it: element
// (p, j) is at b[p / 2 * 2 * b_k + 2 * j + p % 2].
typedef void (*dit_tile)(int64_t k, const float *a, int64_t a_row, int64_t a_k, const void *b, int64_t b_k, float *c,
                         int64_t c_row);

// The tile of [dtype of B: DIT_F32, DIT_F16 or DIT_BF16][vectors - 1][rows - 1].
extern const dit_tile DIT_CPU_SYMBOL(dit_tiles)[3][DIT_TILE_VECTORS][DIT_TILE_ROWS];
#define dit_tiles DIT_CPU_SYMBOL(dit_tiles)

// The same for bf16 A and bf16 B by the dot products of AVX512_BF16: k is even, `pairs` half of it, and each row of A
// contiguous. [vectors - 1][rows - 1]; NULLs in compilations for other sets.
typedef void (*dit_pair_tile)(int64_t pairs, const uint16_t *a, int64_t a_row, const void *b, int64_t b_k, float *c,
                              int64_t c_row);
extern const dit_pair_tile DIT_CPU_SYMBOL(dit_pair_tiles)[DIT_TILE_VECTORS][DIT_TILE_ROWS];
#define dit_pair_tiles DIT_CPU_SYMBOL(dit_pair_tiles)

static inline bool dit_has_pair_tiles(void)
{
#if defined DIT_ISA_avx512
    return dit_cpu_has_bf16_dots();
#else
    return false;
#endif
}

_Static_assert(DIT_F32 == 0 && DIT_F16 == 1 && DIT_BF16 == 2, "dit_tiles is indexed by dtype");

// `count` things in `parts` nearly equal parts: where part i begins.
static inline int64_t dit_part(int64_t count, int64_t parts, int64_t i)
{
    return count / parts * i + count % parts * i / parts;
}

static inline int64_t dit_divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

#endif
