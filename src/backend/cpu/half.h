// backend/cpu/half.h: runs of f16 and bf16 to f32 and back, rounded to nearest even, as vector code.
#ifndef DIT_BACKEND_CPU_HALF_H
#define DIT_BACKEND_CPU_HALF_H

#include "backend/cpu/isa.h"
#include "backend/cpu/vmath.h"
#ifdef __F16C__
#include <immintrin.h>
#endif

static inline void dit_widen_bf16(float *y, const uint16_t *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = vfloat((uint32_t)x[i] << 16);
}

static inline void dit_round_bf16(uint16_t *y, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        uint32_t u = vbits(x[i]), rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16, nan = u >> 16 | 0x40u;
        y[i] = (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
    }
}

// Floats rounded to bf16, and left as floats.
static inline void dit_keep_bf16(float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        uint32_t u = vbits(x[i]), rounded = (u + 0x7fffu + ((u >> 16) & 1u)) & 0xffff0000u;
        x[i] = vfloat((u & 0x7fffffffu) > 0x7f800000u ? u | 0x400000u : rounded);
    }
}

// Bit by bit, for what has no conversion instruction. A subnormal half is an integer times 2^-24, exact in a float.
static inline float dit_widen_f16_bits(uint16_t h)
{
    uint32_t magnitude = h & 0x7fffu, sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t normal = (magnitude << 13) + 0x38000000u, special = (magnitude << 13) | 0x7f800000u;
    uint32_t subnormal = vbits((float)(int32_t)magnitude * 0x1p-24f);
    uint32_t u = magnitude < 0x400u ? subnormal : magnitude < 0x7c00u ? normal : special;
    return vfloat(u | sign);
}

static inline uint16_t dit_round_f16_bits(float x)
{
    uint32_t u = vbits(x) & 0x7fffffffu, sign = (vbits(x) >> 16) & 0x8000u;
    uint32_t normal = (u - 0x38000000u + 0xfffu + ((u >> 13) & 1u)) >> 13;
    // Adding 0.5 leaves the bits of a subnormal half, rounded by the adder, in the low bits of the sum.
    uint32_t subnormal = vbits(vfloat(u) + 0.5f) - vbits(0.5f);
    uint32_t nan = 0x7e00u | ((u >> 13) & 0x3ffu);
    uint32_t h = u < 0x38800000u ? subnormal : u < 0x47800000u ? normal : u > 0x7f800000u ? nan : 0x7c00u;
    return (uint16_t)(h | sign);
}

static inline void dit_widen_f16(float *y, const uint16_t *x, int64_t n)
{
    int64_t i = 0;
#if defined DIT_ISA_avx512
    for (; i + 16 <= n; i += 16)
        _mm512_storeu_ps(y + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)(x + i))));
#elif defined DIT_ISA_avx2
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(x + i))));
#endif
#pragma omp simd
    for (int64_t k = i; k < n; k++)
        y[k] = dit_widen_f16_bits(x[k]);
}

static inline void dit_round_f16(uint16_t *y, const float *x, int64_t n)
{
    int64_t i = 0;
#if defined DIT_ISA_avx512
    for (; i + 16 <= n; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(y + i), _mm512_cvtps_ph(_mm512_loadu_ps(x + i), _MM_FROUND_NO_EXC));
#elif defined DIT_ISA_avx2
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(void *)(y + i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_NO_EXC));
#endif
#pragma omp simd
    for (int64_t k = i; k < n; k++)
        y[k] = dit_round_f16_bits(x[k]);
}

// By dtype, f16 or bf16.
static inline void dit_widen(dit_dtype dtype, float *y, const uint16_t *x, int64_t n)
{
    if (dtype == DIT_F16)
        dit_widen_f16(y, x, n);
    else
        dit_widen_bf16(y, x, n);
}

static inline void dit_round(dit_dtype dtype, uint16_t *y, const float *x, int64_t n)
{
    if (dtype == DIT_F16)
        dit_round_f16(y, x, n);
    else
        dit_round_bf16(y, x, n);
}

#endif
