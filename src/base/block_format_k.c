// base/block_format_k.c: the formats of 256 elements a block ("K-quants"), decoded.
#include "base/block_format_private.h"

void dit_q2_k_decode(const uint8_t *b, float *x)
{
    const uint8_t *scales = b, *q = b + 16;
    float d = dit_block_f16(b + 80), m = dit_block_f16(b + 82);
    for (int half = 0; half < 2; half++, q += 32)
        for (int shift = 0; shift < 8; shift += 2)
            for (int group = 0; group < 2; group++, scales++, x += 16) {
                float scale = d * (float)(*scales & 15), least = m * (float)(*scales >> 4);
                for (int l = 0; l < 16; l++)
                    x[l] = scale * (float)(q[16 * group + l] >> shift & 3) - least;
            }
}

// The 6-bit scale of group j of 16, from 12 bytes: 4 lower bits in eight bytes, then 2 upper bits in four.
static int q3_k_scale(const uint8_t *s, int j)
{
    int low = j < 8 ? s[j] & 15 : s[j - 8] >> 4;
    return (low | (s[8 + j % 4] >> 2 * (j / 4) & 3) << 4) - 32;
}

void dit_q3_k_decode(const uint8_t *b, float *x)
{
    const uint8_t *high = b, *q = b + 32, *scales = b + 96;
    float d = dit_block_f16(b + 108);
    for (int j = 0; j < 16; j++, x += 16) { // groups of 16
        const uint8_t *from = q + 32 * (j / 8) + 16 * (j % 2), *bits = high + 16 * (j % 2);
        float scale = d * (float)q3_k_scale(scales, j);
        for (int l = 0; l < 16; l++)
            x[l] = scale * (float)((from[l] >> 2 * (j / 2 % 4) & 3) - (bits[l] >> j / 2 & 1 ? 0 : 4));
    }
}

// The 6-bit scale and minimum of group j of 8, from 12 bytes: whole in the first eight for groups 0 to 3; for the
// others the lower bits in the last four and the upper two on top of those.
static void q4_k_scale(const uint8_t *s, int j, int *scale, int *least)
{
    if (j < 4) {
        *scale = s[j] & 63;
        *least = s[j + 4] & 63;
    } else {
        *scale = (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
        *least = s[j + 4] >> 4 | s[j] >> 6 << 4;
    }
}

void dit_q4_k_decode(const uint8_t *b, float *x)
{
    const uint8_t *scales = b + 4, *q = b + 16;
    float d = dit_block_f16(b), m = dit_block_f16(b + 2);
    for (int j = 0; j < 8; j++, x += 32) {
        int s, t;
        q4_k_scale(scales, j, &s, &t);
        float scale = d * (float)s, least = m * (float)t;
        for (int l = 0; l < 32; l++)
            x[l] = scale * (float)(q[32 * (j / 2) + l] >> 4 * (j % 2) & 15) - least;
    }
}

void dit_q5_k_decode(const uint8_t *b, float *x)
{
    const uint8_t *scales = b + 4, *high = b + 16, *q = b + 48;
    float d = dit_block_f16(b), m = dit_block_f16(b + 2);
    for (int j = 0; j < 8; j++, x += 32) {
        int s, t;
        q4_k_scale(scales, j, &s, &t);
        float scale = d * (float)s, least = m * (float)t;
        for (int l = 0; l < 32; l++)
            x[l] = scale * (float)((q[32 * (j / 2) + l] >> 4 * (j % 2) & 15) | (high[l] >> j & 1) << 4) - least;
    }
}

void dit_q6_k_decode(const uint8_t *b, float *x)
{
    const uint8_t *low = b, *high = b + 128;
    const int8_t *scales = (const int8_t *)b + 192;
    float d = dit_block_f16(b + 208);
    for (int j = 0; j < 16; j++, x += 16) { // groups of 16; eight in each half
        int k = j % 8;
        const uint8_t *from = low + 64 * (j / 8) + 16 * (k % 4), *bits = high + 32 * (j / 8) + 16 * (k % 2);
        float scale = d * (float)scales[j];
        for (int l = 0; l < 16; l++)
            x[l] = scale * (float)(((from[l] >> 4 * (k / 4) & 15) | (bits[l] >> 2 * (k / 2) & 3) << 4) - 32);
    }
}
