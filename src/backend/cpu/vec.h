// backend/cpu/vec.h: one vector register of floats, as the compilers' vector extension, for kernels that name their
// registers. Loops that need not are better written plainly, with vmath.h.
#ifndef DIT_BACKEND_CPU_VEC_H
#define DIT_BACKEND_CPU_VEC_H

#include "backend/cpu/isa.h"
#include <string.h>
#if defined DIT_ISA_avx2 || defined DIT_ISA_avx512
#include <immintrin.h>
#endif

#if defined DIT_ISA_avx512
#define VEC_BYTES 64
#elif defined DIT_ISA_avx2
#define VEC_BYTES 32
#else
#define VEC_BYTES 16
#endif
typedef float vec __attribute__((vector_size(VEC_BYTES)));
typedef uint32_t vec_bits __attribute__((vector_size(VEC_BYTES)));
typedef uint16_t vec_half __attribute__((vector_size(VEC_BYTES / 2)));

#define VEC_INLINE static inline __attribute__((always_inline))

// Loops over registers must disappear: VEC_UNROLL stands before such a loop, whose count is constant and at most 16.
#ifdef __clang__
#define VEC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define VEC_UNROLL _Pragma("GCC unroll 16")
#endif

// memcpy is how C says "at any address": it becomes one unaligned load or store.
VEC_INLINE vec vec_load(const float *x)
{
    vec v;
    memcpy(&v, x, sizeof v);
    return v;
}

VEC_INLINE void vec_store(float *x, vec v)
{
    memcpy(x, &v, sizeof v);
}

VEC_INLINE vec vec_splat(float x)
{
    return x - (vec){0};
}

// Lanes from <= lane < to of the register at x, zero elsewhere; memory outside them is not touched.
VEC_INLINE vec vec_load_part(const float *x, int64_t from, int64_t to)
{
    from = from < 0 ? 0 : from;
    to = to > DIT_LANES ? DIT_LANES : to;
    if (from >= to)
        return (vec){0};
    if (to - from == DIT_LANES)
        return vec_load(x);
#if defined DIT_ISA_avx512
    return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << to) - (1u << from)), x);
#elif defined DIT_ISA_avx2
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i from_on = _mm256_cmpgt_epi32(lane, _mm256_set1_epi32((int)from - 1));
    return (vec)_mm256_maskload_ps(
        x, _mm256_andnot_si256(_mm256_cmpgt_epi32(lane, _mm256_set1_epi32((int)to - 1)), from_on));
#else
    float part[DIT_LANES] = {0};
    for (int64_t i = from; i < to; i++)
        part[i] = x[i];
    return vec_load(part);
#endif
}

// Stores the first `count` lanes; all of them when there are more.
VEC_INLINE void vec_store_part(float *x, vec v, int64_t count)
{
    if (count >= DIT_LANES) {
        vec_store(x, v);
        return;
    }
#if defined DIT_ISA_avx512
    _mm512_mask_storeu_ps(x, (__mmask16)((1u << count) - 1), (__m512)v);
#else
    float part[DIT_LANES];
    vec_store(part, v);
    for (int64_t i = 0; i < count; i++)
        x[i] = part[i];
#endif
}

VEC_INLINE vec vec_load_bf16(const uint16_t *x)
{
    // The compilers' own conversion takes twice the instructions.
#if defined DIT_ISA_avx512
    __m256i h;
    memcpy(&h, x, sizeof h);
    return (vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16);
#elif defined DIT_ISA_avx2
    __m128i h;
    memcpy(&h, x, sizeof h);
    return (vec)_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16);
#else
    vec_half h;
    memcpy(&h, x, sizeof h);
    return (vec)(__builtin_convertvector(h, vec_bits) << 16);
#endif
}

VEC_INLINE vec vec_load_f16(const uint16_t *x)
{
#if defined DIT_ISA_avx512
    __m256i h;
    memcpy(&h, x, sizeof h);
    return (vec)_mm512_cvtph_ps(h);
#elif defined DIT_ISA_avx2
    __m128i h;
    memcpy(&h, x, sizeof h);
    return (vec)_mm256_cvtph_ps(h);
#else
    // The exponent and mantissa, moved to their places, are 2^-112 of the value, also for subnormals.
    vec_half h;
    memcpy(&h, x, sizeof h);
    vec_bits u = __builtin_convertvector(h, vec_bits), magnitude = (u & 0x7fff) << 13;
    vec_bits special = (vec_bits)(magnitude >= 0x0f800000u) & 0x7f800000u; // infinities and NaNs
    vec_bits value = (vec_bits)((vec)magnitude * 0x1p112f);
    return (vec)(value | special | (u & 0x8000) << 16);
#endif
}

// One register of floats from memory of f32, bf16 or f16 at element `i`. `dtype` is a constant where this is used.
VEC_INLINE vec vec_load_as(dit_dtype dtype, const void *x, int64_t i)
{
    return dtype == DIT_F32    ? vec_load((const float *)x + i)
           : dtype == DIT_BF16 ? vec_load_bf16((const uint16_t *)x + i)
                               : vec_load_f16((const uint16_t *)x + i);
}

// One element, likewise.
VEC_INLINE float scalar_load_as(dit_dtype dtype, const void *x, int64_t i)
{
    return dtype == DIT_F32    ? ((const float *)x)[i]
           : dtype == DIT_BF16 ? dit_bf16_to_f32(((const uint16_t *)x)[i])
                               : dit_f16_to_f32(((const uint16_t *)x)[i]);
}

#ifdef __clang__
#define VEC_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define VEC_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (vec_bits){__VA_ARGS__})
#endif

// One step of a transposition: in every pair of registers whose numbers differ by `d`, exchanges the elements of the
// upper half of each 2d-wide group of the first with those of the lower half of the second (Eklundh 1972).
#define VEC_EXCHANGE(v, d, low, high)                                                                                  \
    VEC_UNROLL                                                                                                         \
    for (int i = 0; i < DIT_LANES; i++)                                                                                \
        if (!(i & (d))) {                                                                                              \
            vec a = (v)[i], b = (v)[i + (d)];                                                                          \
            (v)[i] = VEC_SHUFFLE(a, b, low);                                                                           \
            (v)[i + (d)] = VEC_SHUFFLE(a, b, high);                                                                    \
        }
#define VEC_LIST(...) __VA_ARGS__

// Element j of v[i] becomes element i of v[j].
VEC_INLINE void vec_transpose(vec v[DIT_LANES])
{
#if defined DIT_ISA_avx512
    VEC_EXCHANGE(v, 8, VEC_LIST(0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
                 VEC_LIST(8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
    VEC_EXCHANGE(v, 4, VEC_LIST(0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
                 VEC_LIST(4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))
    VEC_EXCHANGE(v, 2, VEC_LIST(0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),
                 VEC_LIST(2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
    VEC_EXCHANGE(v, 1, VEC_LIST(0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30),
                 VEC_LIST(1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))
#elif defined DIT_ISA_avx2
    VEC_EXCHANGE(v, 4, VEC_LIST(0, 1, 2, 3, 8, 9, 10, 11), VEC_LIST(4, 5, 6, 7, 12, 13, 14, 15))
    VEC_EXCHANGE(v, 2, VEC_LIST(0, 1, 8, 9, 4, 5, 12, 13), VEC_LIST(2, 3, 10, 11, 6, 7, 14, 15))
    VEC_EXCHANGE(v, 1, VEC_LIST(0, 8, 2, 10, 4, 12, 6, 14), VEC_LIST(1, 9, 3, 11, 5, 13, 7, 15))
#else
    VEC_EXCHANGE(v, 2, VEC_LIST(0, 1, 4, 5), VEC_LIST(2, 3, 6, 7))
    VEC_EXCHANGE(v, 1, VEC_LIST(0, 4, 2, 6), VEC_LIST(1, 5, 3, 7))
#endif
}

VEC_INLINE vec vec_max(vec a, vec b)
{
#if defined DIT_ISA_avx512
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined DIT_ISA_avx2
    return (vec)_mm256_max_ps((__m256)a, (__m256)b);
#else
    vec_bits more = (vec_bits)(a > b);
    return (vec)(((vec_bits)a & more) | ((vec_bits)b & ~more));
#endif
}

// 2^x for x <= 127, degree 6, relative error below 1.2e-7; 0 for -infinity, and 0 or tiny below -126. NaN stays.
VEC_INLINE vec vec_exp2(vec x)
{
#if defined DIT_ISA_avx512
    x = (vec)_mm512_max_ps(_mm512_set1_ps(-256.0f), (__m512)x); // of a NaN and a number, the second
    vec n = (vec)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT), r = x - n;
#else
    vec shifted = x + 0x1.8p23f, r = x - (shifted - 0x1.8p23f); // the nearest integer is in shifted's low bits
#endif
    vec p = r * 0x1.416b52p-13f + 0x1.5f082ep-10f;
    p = p * r + 0x1.3b2de0p-7f;
    p = p * r + 0x1.c6af7cp-5f;
    p = p * r + 0x1.ebfbdcp-3f;
    p = p * r + 0x1.62e430p-1f;
    p = p * r + 1.0f;
#if defined DIT_ISA_avx512
    return (vec)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
    vec y = p * (vec)(((vec_bits)shifted << 23) + 0x3f800000u);
    return (vec)((vec_bits)y & ~(vec_bits)(x < -126.0f));
#endif
}

// 2^x for x <= 127 as torch's attention takes it in half precision, to the bit: on AVX-512 to four digits (relative
// error below 1.1e-4), a straight line between powers of two corrected by a cubic, whose value is the bits of a float.
// Malossi et al. 2015, "Fast exponential computation on SIMD architectures". 0 below -126. NaN stays.
VEC_INLINE vec vec_exp2_coarse(vec x)
{
#if defined DIT_ISA_avx512
    vec f = x - (vec)_mm512_floor_ps((__m512)x);
    vec p = f * -0.079204240219773236f - 0.22433836478672356f;
    p = p * f + 0.30354260500649682f;
    p = p * f + 0.00010703434948458272f;
    vec line = (x - p) * 0x1p23f + 127 * 0x1p23f;
    __m512 y = _mm512_castsi512_ps(_mm512_cvttps_epi32((__m512)line));
    y = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask((__m512)x, _mm512_set1_ps(-126.0f), _CMP_NLT_UQ), y);
    return (vec)_mm512_mask_mov_ps(y, _mm512_cmp_ps_mask((__m512)x, (__m512)x, _CMP_UNORD_Q), (__m512)x);
#else
    return vec_exp2(x);
#endif
}

VEC_INLINE float vec_largest(vec v)
{
    float x[DIT_LANES];
    memcpy(x, &v, sizeof x);
    for (int width = DIT_LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            x[i] = x[i] > x[i + width] ? x[i] : x[i + width];
    return x[0];
}

VEC_INLINE float vec_sum(vec v)
{
    float x[DIT_LANES];
    memcpy(x, &v, sizeof x);
    for (int width = DIT_LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            x[i] += x[i + width];
    return x[0];
}

#endif
