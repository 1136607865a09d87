// backend/cpu/gemm.h: matrix products with what follows them: c = residual + gate * activation(a b + bias).
//
// For files of backend/cpu/kernels: every name here is the one of the instruction set being compiled.
#ifndef DIT_BACKEND_CPU_GEMM_H
#define DIT_BACKEND_CPU_GEMM_H

#include "backend/cpu/pack.h"

typedef struct dit_gemm dit_gemm;

// Writes rows k0 to k0 + k of columns n0 to n0 + columns of B as a panel, as dit_pack_panel does: for a B that is
// nowhere in memory, such as the patches under a convolution. `b` and `pack_context` of the product are its own.
typedef void (*dit_gemm_pack)(const dit_gemm *product, int64_t k0, int64_t k, int64_t n0, int columns, float *panel);

// One product. Strides count elements and may be anything, 0 and negative included. What is NULL is left out.
struct dit_gemm {
    int64_t m, n, k;
    const float *a; // (m, k)
    int64_t a_row, a_k;
    const uint16_t *a_bf16; // in place of a
    dit_dtype b_dtype;      // DIT_F32, DIT_F16, DIT_BF16: widened where it is loaded; or quantised, decoded into panels
    const void *b;          // (k, n); when quantised, one of its strides is 1 and the other the length of a stored row
    int64_t b_row, b_col;   // from one k to the next, from one n to the next
    const void *b_panels;   // b as dit_gemm_prepare arranged it; b is not looked at then
    dit_gemm_pack pack;     // makes the panels
    const void *pack_context;
    float *c; // (m, n), columns side by side
    int64_t c_row;
    uint16_t *c_bf16;      // in place of c: rounded once, after all that follows the sums
    const float *bias;     // (n)
    const float *row_bias; // (m)
    dit_activation activation;
    const float *gate; // row i has the gate (n) at gate + i / gate_rows * gate_row
    int64_t gate_rows, gate_row;
    const float *residual; // (m, n), columns side by side; may be c itself, which adds to it
    int64_t residual_row;
};

// A product in bf16 (a_bf16, and a bf16 B) uses the dot products of AVX512_BF16 where the processor has them and k is
// even; elsewhere, and with other B, rows of A are widened as they are used.
//
// Computes `count` products of the shape of `product` on all threads. `at`, when given, turns a copy of `product` into
// number i of them (pointers, and nothing that changes the shape); NULL: one product as it is. The workspace holds
// dit_gemm_workspace(product) bytes, 64-byte aligned.
typedef void (*dit_gemm_at)(const void *context, int64_t i, dit_gemm *product);
#define dit_gemm_run DIT_CPU_SYMBOL(dit_gemm_run)
void dit_gemm_run(const dit_gemm *product, int64_t count, dit_gemm_at at, const void *context, void *workspace);
#define dit_gemm_workspace DIT_CPU_SYMBOL(dit_gemm_workspace)
size_t dit_gemm_workspace(const dit_gemm *product);

// Arranges B once for many products, keeping its dtype: dit_gemm_prepared_bytes bytes at `panels`, 64-byte aligned.
#define dit_gemm_prepare DIT_CPU_SYMBOL(dit_gemm_prepare)
void dit_gemm_prepare(const dit_gemm *product, void *panels);
#define dit_gemm_prepared_bytes DIT_CPU_SYMBOL(dit_gemm_prepared_bytes)
size_t dit_gemm_prepared_bytes(const dit_gemm *product);

// As a tile (tile.h), for rows of A and columns of B that are both contiguous along k; few rows. t: (rows,
// DIT_TILE_COLUMNS).
#define dit_gemm_dots DIT_CPU_SYMBOL(dit_gemm_dots)
void dit_gemm_dots(dit_dtype dtype, int rows, int columns, int64_t k, const float *a, int64_t a_row, const void *b,
                   int64_t b_col, float *t);

#endif
