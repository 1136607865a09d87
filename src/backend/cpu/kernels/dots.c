// backend/cpu/kernels/dots.c: products of a few rows with a matrix whose columns are contiguous, a weight as it is
// stored: dot products along k, without rearranging the matrix, since each element is used only a few times.
#include "backend/cpu/gemm.h"
#include "backend/cpu/vec.h"

// Sums of a block of rows x columns, which stay in registers.
#if defined DIT_ISA_avx512
enum { BLOCK_ROWS = 4, BLOCK_COLUMNS = 4 };
#else
enum { BLOCK_ROWS = 2, BLOCK_COLUMNS = 4 };
#endif

VEC_INLINE void block(int rows, int columns, dit_dtype dtype, int64_t k, const float *a, int64_t a_row, const void *b,
                      int64_t b_col, float *t)
{
    vec sum[BLOCK_ROWS][BLOCK_COLUMNS];
    VEC_UNROLL
    for (int i = 0; i < rows; i++) {
        VEC_UNROLL
        for (int j = 0; j < columns; j++)
            sum[i][j] = (vec){0};
    }
    int64_t p = 0;
    for (; p + DIT_LANES <= k; p += DIT_LANES) {
        vec left[BLOCK_ROWS];
        VEC_UNROLL
        for (int i = 0; i < rows; i++)
            left[i] = vec_load(a + i * a_row + p);
        VEC_UNROLL
        for (int j = 0; j < columns; j++) {
            vec right = vec_load_as(dtype, b, j * b_col + p);
            VEC_UNROLL
            for (int i = 0; i < rows; i++)
                sum[i][j] += left[i] * right;
        }
    }
    VEC_UNROLL
    for (int i = 0; i < rows; i++) {
        VEC_UNROLL
        for (int j = 0; j < columns; j++) {
            float total = vec_sum(sum[i][j]);
            for (int64_t rest = p; rest < k; rest++)
                total += a[i * a_row + rest] * scalar_load_as(dtype, b, j * b_col + rest);
            t[i * DIT_TILE_COLUMNS + j] = total;
        }
    }
}

VEC_INLINE void rows_of(int rows, dit_dtype dtype, int columns, int64_t k, const float *a, int64_t a_row, const void *b,
                        int64_t b_col, float *t)
{
    const char *column = b;
    int64_t step = b_col * (dtype == DIT_F32 ? 4 : 2);
    int j = 0;
    for (; j + BLOCK_COLUMNS <= columns; j += BLOCK_COLUMNS)
        block(rows, BLOCK_COLUMNS, dtype, k, a, a_row, column + j * step, b_col, t + j);
    for (; j < columns; j++)
        block(rows, 1, dtype, k, a, a_row, column + j * step, b_col, t + j);
}

VEC_INLINE void dots(dit_dtype dtype, int rows, int columns, int64_t k, const float *a, int64_t a_row, const void *b,
                     int64_t b_col, float *t)
{
    for (; rows >= BLOCK_ROWS; rows -= BLOCK_ROWS, a += BLOCK_ROWS * a_row, t += BLOCK_ROWS * DIT_TILE_COLUMNS)
        rows_of(BLOCK_ROWS, dtype, columns, k, a, a_row, b, b_col, t);
    if (rows == 1)
        rows_of(1, dtype, columns, k, a, a_row, b, b_col, t);
#if defined DIT_ISA_avx512
    else if (rows == 2)
        rows_of(2, dtype, columns, k, a, a_row, b, b_col, t);
    else if (rows == 3)
        rows_of(3, dtype, columns, k, a, a_row, b, b_col, t);
#endif
}

void dit_gemm_dots(dit_dtype dtype, int rows, int columns, int64_t k, const float *a, int64_t a_row, const void *b,
                   int64_t b_col, float *t)
{
    if (dtype == DIT_F32)
        dots(DIT_F32, rows, columns, k, a, a_row, b, b_col, t);
    else if (dtype == DIT_BF16)
        dots(DIT_BF16, rows, columns, k, a, a_row, b, b_col, t);
    else
        dots(DIT_F16, rows, columns, k, a, a_row, b, b_col, t);
}
