// base/block_format.c: rows of blocks, and the formats of 32 elements a block.
#include "base/block_format_private.h"
#include <math.h>
#include <string.h>

enum { HALF = DIT_SMALL_BLOCK / 2 }; // byte j holds the lower bits of elements j and j + 16

static void decode_q8_0(const uint8_t *b, float *x)
{
    float d = dit_block_f16(b);
    for (int j = 0; j < DIT_SMALL_BLOCK; j++)
        x[j] = (float)(int8_t)b[2 + j] * d;
}

static void decode_q4_0(const uint8_t *b, float *x)
{
    float d = dit_block_f16(b);
    for (int j = 0; j < HALF; j++) {
        x[j] = (float)((b[2 + j] & 15) - 8) * d;
        x[j + HALF] = (float)((b[2 + j] >> 4) - 8) * d;
    }
}

static void decode_q4_1(const uint8_t *b, float *x)
{
    float d = dit_block_f16(b), m = dit_block_f16(b + 2);
    for (int j = 0; j < HALF; j++) {
        x[j] = (float)(b[4 + j] & 15) * d + m;
        x[j + HALF] = (float)(b[4 + j] >> 4) * d + m;
    }
}

// The fifth bits of elements j and j + 16, from the 32 at `b`, as 0 or 16.
static int fifth_low(const uint8_t *b, int j)
{
    return (b[j / 8] >> j % 8 & 1) << 4;
}

static int fifth_high(const uint8_t *b, int j)
{
    return fifth_low(b + 2, j);
}

static void decode_q5_0(const uint8_t *b, float *x)
{
    float d = dit_block_f16(b);
    for (int j = 0; j < HALF; j++) {
        x[j] = (float)(((b[6 + j] & 15) | fifth_low(b + 2, j)) - 16) * d;
        x[j + HALF] = (float)((b[6 + j] >> 4 | fifth_high(b + 2, j)) - 16) * d;
    }
}

static void decode_q5_1(const uint8_t *b, float *x)
{
    float d = dit_block_f16(b), m = dit_block_f16(b + 2);
    for (int j = 0; j < HALF; j++) {
        x[j] = (float)((b[8 + j] & 15) | fifth_low(b + 4, j)) * d + m;
        x[j + HALF] = (float)(b[8 + j] >> 4 | fifth_high(b + 4, j)) * d + m;
    }
}

// The element of the largest magnitude, with its sign; the first of several.
static float extreme(const float *x)
{
    float most = 0, value = 0;
    for (int j = 0; j < DIT_SMALL_BLOCK; j++)
        if (fabsf(x[j]) > most) {
            most = fabsf(x[j]);
            value = x[j];
        }
    return value;
}

static void range(const float *x, float *least, float *most)
{
    *least = *most = x[0];
    for (int j = 1; j < DIT_SMALL_BLOCK; j++) {
        *least = x[j] < *least ? x[j] : *least;
        *most = x[j] > *most ? x[j] : *most;
    }
}

static float inverse(float d)
{
    return d != 0 ? 1 / d : 0;
}

// `value` cut to an integer in 0..most.
static int level(float value, int most)
{
    return !(value > 0) ? 0 : value < (float)(most + 1) ? (int)value : most;
}

static bool fits(float d)
{
    return fabsf(d) < 65520; // rounds to a finite f16
}

static bool encode_q8_0(const float *x, uint8_t *b)
{
    float d = fabsf(extreme(x)) / 127, scale = inverse(d);
    dit_block_put_f16(b, d);
    for (int j = 0; j < DIT_SMALL_BLOCK; j++) {
        float q = roundf(x[j] * scale);
        b[2 + j] = (uint8_t)(int8_t)(fabsf(q) <= 127 ? q : copysignf(127, q));
    }
    return fits(d);
}

static bool encode_q4_0(const float *x, uint8_t *b)
{
    float d = extreme(x) / -8, scale = inverse(d);
    dit_block_put_f16(b, d);
    for (int j = 0; j < HALF; j++)
        b[2 + j] = (uint8_t)(level(x[j] * scale + 8.5f, 15) | level(x[j + HALF] * scale + 8.5f, 15) << 4);
    return fits(d);
}

static bool encode_q4_1(const float *x, uint8_t *b)
{
    float least, most;
    range(x, &least, &most);
    float d = (most - least) / 15, scale = inverse(d);
    dit_block_put_f16(b, d);
    dit_block_put_f16(b + 2, least);
    for (int j = 0; j < HALF; j++)
        b[4 + j] =
            (uint8_t)(level((x[j] - least) * scale + 0.5f, 15) | level((x[j + HALF] - least) * scale + 0.5f, 15) << 4);
    return fits(d) && fits(least);
}

// Stores 5-bit levels: fifth bits at `high`, the others at `low`.
static void put_levels(const int *q, uint8_t *high, uint8_t *low)
{
    memset(high, 0, DIT_SMALL_BLOCK / 8);
    for (int j = 0; j < HALF; j++)
        low[j] = (uint8_t)((q[j] & 15) | (q[j + HALF] & 15) << 4);
    for (int j = 0; j < DIT_SMALL_BLOCK; j++)
        high[j / 8] |= (uint8_t)((q[j] >> 4) << j % 8);
}

static bool encode_q5_0(const float *x, uint8_t *b)
{
    int q[DIT_SMALL_BLOCK];
    float d = extreme(x) / -16, scale = inverse(d);
    dit_block_put_f16(b, d);
    for (int j = 0; j < DIT_SMALL_BLOCK; j++)
        q[j] = level(x[j] * scale + 16.5f, 31);
    put_levels(q, b + 2, b + 6);
    return fits(d);
}

static bool encode_q5_1(const float *x, uint8_t *b)
{
    int q[DIT_SMALL_BLOCK];
    float least, most;
    range(x, &least, &most);
    float d = (most - least) / 31, scale = inverse(d);
    dit_block_put_f16(b, d);
    dit_block_put_f16(b + 2, least);
    for (int j = 0; j < DIT_SMALL_BLOCK; j++)
        q[j] = level((x[j] - least) * scale + 0.5f, 31);
    put_levels(q, b + 4, b + 8);
    return fits(d) && fits(least);
}

static const struct {
    void (*decode)(const uint8_t *block, float *values);
    bool (*encode)(const float *values, uint8_t *block);
} formats[DIT_DTYPES] = {
    [DIT_Q8_0] = {decode_q8_0, encode_q8_0},         [DIT_Q4_0] = {decode_q4_0, encode_q4_0},
    [DIT_Q4_1] = {decode_q4_1, encode_q4_1},         [DIT_Q5_0] = {decode_q5_0, encode_q5_0},
    [DIT_Q5_1] = {decode_q5_1, encode_q5_1},         [DIT_Q2_K] = {dit_q2_k_decode, dit_q2_k_encode},
    [DIT_Q3_K] = {dit_q3_k_decode, dit_q3_k_encode}, [DIT_Q4_K] = {dit_q4_k_decode, dit_q4_k_encode},
    [DIT_Q5_K] = {dit_q5_k_decode, dit_q5_k_encode}, [DIT_Q6_K] = {dit_q6_k_decode, dit_q6_k_encode},
};

void dit_block_decode(dit_dtype format, const void *blocks, float *values, int64_t count)
{
    int block = dit_dtype_block(format);
    const uint8_t *from = blocks;
    for (int64_t i = 0; i < count; i += block, from += dit_dtype_size(format))
        formats[format].decode(from, values + i);
}

bool dit_block_encode(dit_dtype format, const float *values, void *blocks, int64_t count)
{
    int block = dit_dtype_block(format);
    uint8_t *to = blocks;
    bool all = true;
    for (int64_t i = 0; i < count; i++)
        all = all && fabsf(values[i]) < 0x1p30f; // beyond every format, and sums of cubes stay finite below
    for (int64_t i = 0; i < count; i += block, to += dit_dtype_size(format))
        all = formats[format].encode(values + i, to) && all;
    return all;
}
