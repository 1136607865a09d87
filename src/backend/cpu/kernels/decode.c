// backend/cpu/kernels/decode.c: quantised weights as floats. What weights are mostly stored in has loops of its own
// here, of constant length and without branches, which compilers turn into vector code; other formats go through
// base/block_format.h. Layouts: base/block_format.h.
#include "backend/cpu/decode.h"
#include "backend/cpu/half.h"
#include "backend/cpu/vec.h"
#include "base/block_format.h"

#define DECODE static inline __attribute__((always_inline)) void

static inline float f16_at(const uint8_t *b)
{
    uint16_t h;
    memcpy(&h, b, sizeof h);
#if defined DIT_ISA_avx2 || defined DIT_ISA_avx512
    return _cvtsh_ss(h);
#else
    return dit_widen_f16_bits(h);
#endif
}

DECODE q8_0(const uint8_t *b, float *x)
{
    float d = f16_at(b);
    const int8_t *q = (const int8_t *)b + 2;
#pragma omp simd
    for (int j = 0; j < 32; j++)
        x[j] = (float)q[j] * d;
}

DECODE q4_0(const uint8_t *b, float *x)
{
    float d = f16_at(b);
    const uint8_t *q = b + 2;
#pragma omp simd
    for (int j = 0; j < 16; j++)
        x[j] = (float)((int)(q[j] & 15) - 8) * d;
#pragma omp simd
    for (int j = 0; j < 16; j++)
        x[j + 16] = (float)((int)(q[j] >> 4) - 8) * d;
}

DECODE q4_1(const uint8_t *b, float *x)
{
    float d = f16_at(b), m = f16_at(b + 2);
    const uint8_t *q = b + 4;
#pragma omp simd
    for (int j = 0; j < 16; j++)
        x[j] = (float)(q[j] & 15) * d + m;
#pragma omp simd
    for (int j = 0; j < 16; j++)
        x[j + 16] = (float)(q[j] >> 4) * d + m;
}

// Fifth bits of elements j and j + 16, from the 32 of `high`.
DECODE q5(const uint8_t *q, uint32_t high, float d, float m, float *x)
{
#pragma omp simd
    for (int j = 0; j < 16; j++)
        x[j] = (float)(int)((q[j] & 15u) | (high >> j & 1u) << 4) * d + m;
#pragma omp simd
    for (int j = 0; j < 16; j++)
        x[j + 16] = (float)(int)((q[j] >> 4) | (high >> (j + 16) & 1u) << 4) * d + m;
}

static inline uint32_t bits_at(const uint8_t *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

DECODE q5_0(const uint8_t *b, float *x)
{
    float d = f16_at(b);
    q5(b + 6, bits_at(b + 2), d, -16 * d, x);
}

DECODE q5_1(const uint8_t *b, float *x)
{
    q5(b + 8, bits_at(b + 4), f16_at(b), f16_at(b + 2), x);
}

// The 6-bit scales and minima of eight groups.
DECODE k_scales(const uint8_t *s, float d, float m, float scale[8], float least[8])
{
    for (int j = 0; j < 4; j++) {
        scale[j] = d * (float)(s[j] & 63);
        least[j] = m * (float)(s[j + 4] & 63);
        scale[j + 4] = d * (float)((s[j + 8] & 15) | s[j] >> 6 << 4);
        least[j + 4] = m * (float)(s[j + 8] >> 4 | s[j + 4] >> 6 << 4);
    }
}

DECODE q2_k(const uint8_t *b, float *x)
{
    float d = f16_at(b + 80), m = f16_at(b + 82);
    VEC_UNROLL // shifts become constants
        for (int j = 0; j < 16; j++)
    { // groups of 16; eight in each half
        const uint8_t *q = b + 16 + 32 * (j / 8) + 16 * (j % 2);
        float s = d * (float)(b[j] & 15), t = m * (float)(b[j] >> 4), *y = x + 16 * j;
        int shift = 2 * (j / 2 % 4);
#pragma omp simd
        for (int l = 0; l < 16; l++)
            y[l] = s * (float)(q[l] >> shift & 3) - t;
    }
}

// Scales in 6 bits, 32 too large: the lower four of groups j and j + 8 in byte j, the upper two in the last four bytes.
DECODE q3_k(const uint8_t *b, float *x)
{
    const uint8_t *high = b, *scales = b + 96;
    float d = f16_at(b + 108);
    VEC_UNROLL // shifts become constants
        for (int j = 0; j < 16; j++)
    { // groups of 16; eight in each half
        const uint8_t *q = b + 32 + 32 * (j / 8) + 16 * (j % 2), *third = high + 16 * (j % 2);
        int scale = (scales[j % 8] >> 4 * (j / 8) & 15) | (scales[8 + j % 4] >> 2 * (j / 4) & 3) << 4;
        float s = d * (float)(scale - 32), *y = x + 16 * j;
        int shift = 2 * (j / 2 % 4), bit = j / 2;
#pragma omp simd
        for (int l = 0; l < 16; l++)
            y[l] = s * (float)(((q[l] >> shift & 3) | (third[l] >> bit & 1) << 2) - 4);
    }
}

DECODE q4_k(const uint8_t *b, float *x)
{
    float scale[8], least[8];
    k_scales(b + 4, f16_at(b), f16_at(b + 2), scale, least);
    for (int pair = 0; pair < 4; pair++) { // groups 2 pair and 2 pair + 1 share 32 bytes
        const uint8_t *q = b + 16 + 32 * pair;
        float s = scale[2 * pair], t = least[2 * pair], *y = x + 64 * pair;
#pragma omp simd
        for (int l = 0; l < 32; l++)
            y[l] = s * (float)(q[l] & 15) - t;
        s = scale[2 * pair + 1];
        t = least[2 * pair + 1];
        y += 32;
#pragma omp simd
        for (int l = 0; l < 32; l++)
            y[l] = s * (float)(q[l] >> 4) - t;
    }
}

DECODE q5_k(const uint8_t *b, float *x)
{
    float scale[8], least[8];
    k_scales(b + 4, f16_at(b), f16_at(b + 2), scale, least);
    const uint8_t *high = b + 16;
    VEC_UNROLL // shifts become constants
        for (int j = 0; j < 8; j++)
    {
        const uint8_t *q = b + 48 + 32 * (j / 2);
        float s = scale[j], t = least[j], *y = x + 32 * j;
        int shift = 4 * (j % 2);
#pragma omp simd
        for (int l = 0; l < 32; l++)
            y[l] = s * (float)((q[l] >> shift & 15) | (high[l] >> j & 1) << 4) - t;
    }
}

DECODE q6_k(const uint8_t *b, float *x)
{
    const int8_t *scales = (const int8_t *)b + 192;
    float d = f16_at(b + 208);
    VEC_UNROLL // shifts become constants
        for (int j = 0; j < 16; j++)
    { // groups of 16; eight in each half
        int k = j % 8, low_shift = 4 * (k / 4), high_shift = 2 * (k / 2);
        const uint8_t *low = b + 64 * (j / 8) + 16 * (k % 4), *high = b + 128 + 32 * (j / 8) + 16 * (k % 2);
        float s = d * (float)scales[j], *y = x + 16 * j;
#pragma omp simd
        for (int l = 0; l < 16; l++)
            y[l] = s * (float)(((low[l] >> low_shift & 15) | (high[l] >> high_shift & 3) << 4) - 32);
    }
}

// No infinities; all ones below the sign is NaN. A subnormal is an integer times 2^-9.
static inline float f8_e4m3(uint8_t b)
{
    uint32_t magnitude = b & 0x7fu, sign = (uint32_t)(b & 0x80u) << 24;
    uint32_t normal = (magnitude << 20) + 0x3c000000u, subnormal = vbits((float)(int32_t)magnitude * 0x1p-9f);
    uint32_t u = magnitude < 8 ? subnormal : normal;
    u = magnitude == 0x7fu ? 0x7fc00000u : u;
    return vfloat(u | sign);
}

static void decode_f8(dit_dtype format, const uint8_t *b, int64_t count, float *x)
{
    if (format == DIT_F8_E4M3) {
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            x[i] = f8_e4m3(b[i]);
        return;
    }
    // e5m2 is the upper byte of an f16.
    enum { RUN = 256 };
    uint16_t halves[RUN];
    for (int64_t i = 0; i < count; i += RUN) {
        int64_t n = count - i < RUN ? count - i : RUN;
#pragma omp simd
        for (int64_t j = 0; j < n; j++)
            halves[j] = (uint16_t)(b[i + j] << 8);
        dit_widen_f16(x + i, halves, n);
    }
}

#define BLOCKS(function, elements)                                                                                     \
    for (int64_t i = 0; i < count; i += (elements), b += size)                                                         \
        function(b, values + i);                                                                                       \
    return

void dit_decode(dit_dtype format, const void *row, int64_t first, int64_t count, float *values)
{
    const uint8_t *b = (const uint8_t *)row + dit_row_bytes(format, first);
    const size_t size = dit_dtype_size(format);
    switch (format) {
    case DIT_F8_E4M3:
    case DIT_F8_E5M2:
        decode_f8(format, b, count, values);
        return;
    case DIT_Q8_0:
        BLOCKS(q8_0, 32);
    case DIT_Q4_0:
        BLOCKS(q4_0, 32);
    case DIT_Q4_1:
        BLOCKS(q4_1, 32);
    case DIT_Q5_0:
        BLOCKS(q5_0, 32);
    case DIT_Q5_1:
        BLOCKS(q5_1, 32);
    case DIT_Q2_K:
        BLOCKS(q2_k, 256);
    case DIT_Q3_K:
        BLOCKS(q3_k, 256);
    case DIT_Q4_K:
        BLOCKS(q4_k, 256);
    case DIT_Q5_K:
        BLOCKS(q5_k, 256);
    case DIT_Q6_K:
        BLOCKS(q6_k, 256);
    default:
        dit_block_decode(format, b, values, count);
    }
}
