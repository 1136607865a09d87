// backend/cpu/finish.h: what follows the sums of a product, for one tile of them: bias, activation, gate, residual.
#ifndef DIT_BACKEND_CPU_FINISH_H
#define DIT_BACKEND_CPU_FINISH_H

#include "backend/cpu/gemm.h"
#include "backend/cpu/vec.h"
#include "backend/cpu/vmath.h"

// x / (1 + exp(-u)). Where exp would overflow, the result is the product of x and 2^-126 instead of 0.
VEC_INLINE vec finish_gated(vec x, vec u)
{
    vec most = vec_splat(126.0f), power = u * -0x1.715476p+0f;
    power = vec_max(-most, power); // of a NaN and a number either function gives the second
    vec below = -vec_max(-most, -power);
    vec d = vec_exp2(below) + 1.0f;
#if defined DIT_ISA_avx512
    // A reciprocal of 14 bits and one step of Newton's iteration take half the time of a division.
    vec r = (vec)_mm512_rcp14_ps((__m512)d);
    return x * (r * (2.0f - d * r));
#else
    return x / d;
#endif
}

VEC_INLINE vec finish_activated(dit_activation activation, vec x)
{
    switch (activation) {
    case DIT_SILU:
        return finish_gated(x, x);
    case DIT_GELU_TANH: // as vgelu_tanh
        return finish_gated(x, x * (0x1.988454p+0f + 0x1.2444f2p-4f * (x * x)));
    case DIT_GELU_ERF: {
        float each[DIT_LANES];
        vec_store(each, x);
#pragma omp simd
        for (int i = 0; i < DIT_LANES; i++)
            each[i] = vgelu_erf(each[i]);
        return vec_load(each);
    }
    case DIT_RELU:
        return vec_max((vec){0}, x);
    case DIT_NO_ACTIVATION:
        break;
    }
    return x;
}

// `columns` <= DIT_LANES of them; `whole`: all, known when this is compiled.
VEC_INLINE vec finish_load(bool whole, const float *x, int64_t columns)
{
    return whole ? vec_load(x) : vec_load_part(x, 0, columns);
}

VEC_INLINE void finish_store(bool whole, float *x, vec v, int64_t columns)
{
    if (whole)
        vec_store(x, v);
    else
        vec_store_part(x, v, columns);
}

// t (rows, DIT_TILE_COLUMNS) += x; a row of x follows the former after x_row floats.
VEC_INLINE void finish_add(bool whole, float *t, const float *x, int64_t x_row, int rows, int columns)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j += DIT_LANES) {
            float *to = t + i * DIT_TILE_COLUMNS + j;
            vec_store(to, vec_load(to) + finish_load(whole, x + i * x_row + j, columns - j));
        }
}

VEC_INLINE void finish_copy(bool whole, const float *t, float *x, int64_t x_row, int rows, int columns)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j += DIT_LANES)
            finish_store(whole, x + i * x_row + j, vec_load(t + i * DIT_TILE_COLUMNS + j), columns - j);
}

// What follows the sums in t (rows, DIT_TILE_COLUMNS), rows m0.. and columns n0.. of the product, to `to`, which may be
// t.
VEC_INLINE void finish_rows(bool whole, dit_activation activation, const dit_gemm *g, int64_t m0, int rows, int64_t n0,
                            int columns, const float *t, float *to, int64_t to_row)
{
    for (int i = 0; i < rows; i++) {
        int64_t row = m0 + i;
        const float *gate = g->gate ? g->gate + row / g->gate_rows * g->gate_row + n0 : NULL;
        const float *residual = g->residual ? g->residual + row * g->residual_row + n0 : NULL;
        float row_bias = g->row_bias ? g->row_bias[row] : 0;
        for (int j = 0; j < columns; j += DIT_LANES) {
            vec v = vec_load(t + i * DIT_TILE_COLUMNS + j) + row_bias;
            if (g->bias)
                v += finish_load(whole, g->bias + n0 + j, columns - j);
            v = finish_activated(activation, v);
            if (gate)
                v *= finish_load(whole, gate + j, columns - j);
            if (residual)
                v += finish_load(whole, residual + j, columns - j);
            finish_store(whole, to + i * to_row + j, v, columns - j);
        }
    }
}

#endif
