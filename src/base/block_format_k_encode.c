// base/block_format_k_encode.c: the formats of 256 elements a block ("K-quants"), encoded.
//
// A group's scale is searched for around the one that its range gives, so that the weighted error is least. The order
// of every operation is that of ggml's reference quantisers (quantize_row_q2_K_ref ... q6_K_ref in src/ggml-quants.c),
// whose blocks these functions make bit for bit.
#include "base/block_format_private.h"
#include <math.h>
#include <string.h>

static const float TINY = 1e-15f; // a group whose values are all smaller is zero

static int nearest(float value)
{
    return fabsf(value) < 4e6f ? (int)lrintf(value) : value > 0 ? 4000000 : -4000000;
}

static int clamp(int value, int least, int most)
{
    return value < least ? least : value > most ? most : value;
}

static float extreme(const float *x, int count)
{
    float most = 0, value = 0;
    for (int i = 0; i < count; i++)
        if (fabsf(x[i]) > most) {
            most = fabsf(x[i]);
            value = x[i];
        }
    return value;
}

// Sums of a fit of x by scale * level, weighted by x^2: the error falls as by_x^2 / by_level grows.
struct fit {
    float by_x, by_level;
};

static struct fit fit_levels(const float *x, int count, float inverse, int most, int *levels)
{
    struct fit f = {0, 0};
    for (int i = 0; i < count; i++) {
        int l = clamp(nearest(inverse * x[i]), -most, most - 1);
        float w = x[i] * x[i];
        levels[i] = l;
        f.by_x += w * x[i] * (float)l;
        f.by_level += w * (float)l * (float)l;
    }
    return f;
}

// The scale of a group for levels -most ... most - 1, tried at 19 places around the range's own. `levels` gets them,
// counted from 0.
static float search_scale(const float *x, int count, int most, uint8_t *levels)
{
    int tried[DIT_SMALL_BLOCK];
    float extremum = extreme(x, count);
    memset(levels, 0, (size_t)count);
    if (fabsf(extremum) < TINY)
        return 0;
    struct fit f = fit_levels(x, count, -(float)most / extremum, most, tried);
    float scale = f.by_level != 0 ? f.by_x / f.by_level : 0, best = scale * f.by_x;
    for (int i = 0; i < count; i++)
        levels[i] = (uint8_t)(tried[i] + most);
    for (int step = -9; step <= 9; step++) {
        if (step == 0)
            continue;
        f = fit_levels(x, count, -((float)most + 0.1f * (float)step) / extremum, most, tried);
        if (f.by_level > 0 && f.by_x * f.by_x > best * f.by_level) {
            for (int i = 0; i < count; i++)
                levels[i] = (uint8_t)(tried[i] + most);
            scale = f.by_x / f.by_level;
            best = scale * f.by_x;
        }
    }
    return scale;
}

// The same for Q3_K: from the range's own scale, single levels are moved while that lessens the error.
static float refine_scale(const float *x, int count, int most, uint8_t *kept)
{
    int levels[DIT_SMALL_BLOCK];
    memset(kept, 0, (size_t)count);
    float extremum = extreme(x, count);
    if (fabsf(extremum) < TINY)
        return 0;
    struct fit f = fit_levels(x, count, -(float)most / extremum, most, levels);
    for (int pass = 0, changed = 1; pass < 5 && changed; pass++) {
        changed = 0;
        for (int i = 0; i < count; i++) {
            float w = x[i] * x[i], l = (float)levels[i];
            struct fit without = {f.by_x - w * x[i] * l, f.by_level - w * l * l};
            if (!(without.by_x > 0))
                continue;
            int moved = clamp(nearest(x[i] * without.by_level / without.by_x), -most, most - 1);
            if (moved == levels[i])
                continue;
            without.by_x += w * x[i] * (float)moved;
            without.by_level += w * (float)moved * (float)moved;
            if (without.by_level > 0 && without.by_x * without.by_x * f.by_level > f.by_x * f.by_x * without.by_level) {
                levels[i] = moved;
                f = without;
                changed = 1;
            }
        }
    }
    for (int i = 0; i < count; i++)
        kept[i] = (uint8_t)(levels[i] + most);
    return f.by_level > 0 ? f.by_x / f.by_level : 0;
}

// How scales with a minimum are searched for: `steps` + 1 places, from `first` in steps of `step` above `most` levels.
struct search {
    int most, steps;
    float first, step;
    bool absolute; // the error is |difference|, not its square
};

static float weighted_error(const float *x, const float *weights, int count, const int *levels, float scale,
                            float least, bool absolute)
{
    float error = 0;
    for (int i = 0; i < count; i++) {
        float difference = scale * (float)levels[i] + least - x[i];
        error += weights[i] * (absolute ? fabsf(difference) : difference * difference);
    }
    return error;
}

static void keep(const int *levels, int count, uint8_t *kept)
{
    for (int i = 0; i < count; i++)
        kept[i] = (uint8_t)levels[i];
}

// The scale and (negated) minimum of a group for levels 0 ... most: x = scale * level - minimum. The sums of the normal
// equations give both for the levels of each place tried. `kept` gets the best levels, which count only where the
// stored scale rounds to 0.
static float search_range(const float *x, const float *weights, int count, const struct search *s, float *minimum,
                          uint8_t *kept)
{
    int levels[DIT_SMALL_BLOCK];
    float least = x[0], most = x[0], sum_w = weights[0], sum_x = sum_w * x[0];
    for (int i = 1; i < count; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
        sum_w += weights[i];
        sum_x += weights[i] * x[i];
    }
    least = least > 0 ? 0 : least;
    *minimum = -least;
    memset(kept, 0, (size_t)count);
    if (most == least)
        return 0;
    float inverse = (float)s->most / (most - least), scale = 1 / inverse, from = least; // the minimum found so far
    for (int i = 0; i < count; i++)
        levels[i] = clamp(nearest(inverse * (x[i] - from)), 0, s->most);
    keep(levels, count, kept);
    float best = weighted_error(x, weights, count, levels, scale, least, s->absolute);
    for (int step = 0; step <= s->steps; step++) {
        float sum_l = 0, sum_l2 = 0, sum_xl = 0;
        inverse = (s->first + s->step * (float)step + (float)s->most) / (most - from);
        for (int i = 0; i < count; i++) {
            levels[i] = clamp(nearest(inverse * (x[i] - from)), 0, s->most);
            float l = (float)levels[i], w = weights[i];
            sum_l += w * l;
            sum_l2 += w * l * l;
            sum_xl += w * l * x[i];
        }
        float determinant = sum_w * sum_l2 - sum_l * sum_l;
        if (!(determinant > 0))
            continue;
        float this_scale = (sum_w * sum_xl - sum_x * sum_l) / determinant;
        float this_least = (sum_l2 * sum_x - sum_l * sum_xl) / determinant;
        if (this_least > 0) {
            this_least = 0;
            this_scale = sum_xl / sum_l2;
        }
        float error = weighted_error(x, weights, count, levels, this_scale, this_least, s->absolute);
        if (error < best) {
            keep(levels, count, kept);
            best = error;
            scale = this_scale;
            from = this_least;
        }
    }
    *minimum = -from;
    return scale;
}

static float largest(const float *values, int count)
{
    float most = 0;
    for (int i = 0; i < count; i++)
        most = values[i] > most ? values[i] : most;
    return most;
}

static bool fits(float scale)
{
    return fabsf(scale) < 65520; // rounds to a finite f16
}

// Levels of two bits: byte l of half h holds elements l, l + 32, l + 64 and l + 96 of it.
static void put_two_bits(const uint8_t *levels, uint8_t *q)
{
    for (int half = 0; half < 2; half++, levels += 128, q += 32)
        for (int l = 0; l < 32; l++)
            q[l] = (uint8_t)(levels[l] | levels[l + 32] << 2 | levels[l + 64] << 4 | levels[l + 96] << 6);
}

bool dit_q2_k_encode(const float *x, uint8_t *b)
{
    static const struct search search = {.most = 3, .steps = 15, .first = -0.5f, .step = 0.1f, .absolute = true};
    uint8_t levels[DIT_K_BLOCK];
    float scales[16], minima[16], weights[16];
    for (int j = 0; j < 16; j++) {
        for (int l = 0; l < 16; l++)
            weights[l] = fabsf(x[16 * j + l]);
        scales[j] = search_range(x + 16 * j, weights, 16, &search, &minima[j], levels + 16 * j);
    }
    float most_scale = largest(scales, 16), most_minimum = largest(minima, 16);
    float d = dit_block_put_f16(b + 80, most_scale / 15), m = dit_block_put_f16(b + 82, most_minimum / 15);
    for (int j = 0; j < 16; j++) {
        int s = most_scale > 0 ? nearest(15 / most_scale * scales[j]) : 0;
        int t = most_minimum > 0 ? nearest(15 / most_minimum * minima[j]) : 0;
        b[j] = (uint8_t)(clamp(s, 0, 15) | clamp(t, 0, 15) << 4);
        float scale = d * (float)(b[j] & 15), least = m * (float)(b[j] >> 4);
        for (int l = 16 * j; scale != 0 && l < 16 * j + 16; l++)
            levels[l] = (uint8_t)clamp(nearest((x[l] + least) / scale), 0, 3);
    }
    put_two_bits(levels, b + 16);
    return fits(most_scale / 15) && fits(most_minimum / 15);
}

bool dit_q3_k_encode(const float *x, uint8_t *b)
{
    uint8_t levels[DIT_K_BLOCK], *high = b, *packed = b + 96;
    float scales[16];
    for (int j = 0; j < 16; j++)
        scales[j] = refine_scale(x + 16 * j, 16, 4, levels + 16 * j);
    float extremum = extreme(scales, 16), inverse = extremum != 0 ? -32 / extremum : 0;
    float d = dit_block_put_f16(b + 108, extremum != 0 ? 1 / inverse : 0);
    memset(b, 0, 32);
    memset(packed, 0, 12);
    for (int j = 0; j < 16; j++) {
        int s = extremum != 0 ? clamp(nearest(inverse * scales[j]), -32, 31) + 32 : 0;
        packed[j % 8] |= (uint8_t)((s & 15) << 4 * (j / 8));
        packed[8 + j % 4] |= (uint8_t)(s >> 4 << 2 * (j / 4));
        float scale = d * (float)(s - 32);
        for (int l = 16 * j; l < 16 * j + 16; l++) {
            int level = scale != 0 ? clamp(nearest(x[l] / scale), -4, 3) + 4 : levels[l];
            high[l % 32] |= (uint8_t)((level >> 2) << l / 32);
            levels[l] = (uint8_t)(level & 3);
        }
    }
    put_two_bits(levels, b + 32);
    return extremum == 0 || fits(1 / inverse);
}

// The 6-bit scale and minimum of group j of 8, as block_format_k.c reads them.
static void put_scale(uint8_t *packed, int j, int scale, int minimum)
{
    if (j < 4) {
        packed[j] = (uint8_t)scale;
        packed[j + 4] = (uint8_t)minimum;
    } else {
        packed[j + 4] = (uint8_t)((scale & 15) | (minimum & 15) << 4);
        packed[j - 4] |= (uint8_t)(scale >> 4 << 6);
        packed[j] |= (uint8_t)(minimum >> 4 << 6);
    }
}

// What Q4_K and Q5_K share: d, m and 12 bytes of scales at `b`, and levels of 0 ... search->most.
static bool encode_groups(const float *x, const struct search *search, uint8_t *b, uint8_t levels[DIT_K_BLOCK])
{
    float scales[8], minima[8], weights[32];
    for (int j = 0; j < 8; j++) {
        float squares = 0;
        for (int l = 0; l < 32; l++)
            squares += x[32 * j + l] * x[32 * j + l];
        float root = sqrtf(squares / 32);
        for (int l = 0; l < 32; l++)
            weights[l] = root + fabsf(x[32 * j + l]);
        scales[j] = search_range(x + 32 * j, weights, 32, search, &minima[j], levels + 32 * j);
    }
    float most_scale = largest(scales, 8), most_minimum = largest(minima, 8);
    float inverse_scale = most_scale > 0 ? 63 / most_scale : 0,
          inverse_minimum = most_minimum > 0 ? 63 / most_minimum : 0;
    float d = dit_block_put_f16(b, most_scale / 63), m = dit_block_put_f16(b + 2, most_minimum / 63);
    for (int j = 0; j < 8; j++) {
        int s = clamp(nearest(inverse_scale * scales[j]), 0, 63),
            t = clamp(nearest(inverse_minimum * minima[j]), 0, 63);
        put_scale(b + 4, j, s, t);
        float scale = d * (float)s, least = m * (float)t;
        for (int l = 32 * j; scale != 0 && l < 32 * j + 32; l++)
            levels[l] = (uint8_t)clamp(nearest((x[l] + least) / scale), 0, search->most);
    }
    return fits(most_scale / 63) && fits(most_minimum / 63);
}

bool dit_q4_k_encode(const float *x, uint8_t *b)
{
    static const struct search search = {.most = 15, .steps = 20, .first = -1, .step = 0.1f};
    uint8_t levels[DIT_K_BLOCK];
    bool all = encode_groups(x, &search, b, levels);
    for (int j = 0; j < 4; j++)
        for (int l = 0; l < 32; l++)
            b[16 + 32 * j + l] = (uint8_t)(levels[64 * j + l] | levels[64 * j + 32 + l] << 4);
    return all;
}

bool dit_q5_k_encode(const float *x, uint8_t *b)
{
    static const struct search search = {.most = 31, .steps = 15, .first = -0.5f, .step = 0.1f};
    uint8_t levels[DIT_K_BLOCK], *high = b + 16, *low = b + 48;
    bool all = encode_groups(x, &search, b, levels);
    memset(high, 0, 32);
    for (int j = 0; j < 8; j++)
        for (int l = 0; l < 32; l++)
            high[l] |= (uint8_t)(levels[32 * j + l] >> 4 << j);
    for (int j = 0; j < 4; j++)
        for (int l = 0; l < 32; l++)
            low[32 * j + l] = (uint8_t)((levels[64 * j + l] & 15) | (levels[64 * j + 32 + l] & 15) << 4);
    return all;
}

bool dit_q6_k_encode(const float *x, uint8_t *b)
{
    uint8_t levels[DIT_K_BLOCK], *low = b, *high = b + 128;
    int8_t *kept = (int8_t *)b + 192;
    float scales[16];
    for (int j = 0; j < 16; j++)
        scales[j] = search_scale(x + 16 * j, 16, 32, levels + 16 * j);
    float extremum = extreme(scales, 16);
    memset(b, 0, DIT_Q6_K_BYTES);
    if (fabsf(extremum) < TINY)
        return true;
    float inverse = -128 / extremum, d = dit_block_put_f16(b + 208, 1 / inverse);
    for (int j = 0; j < 16; j++) {
        kept[j] = (int8_t)clamp(nearest(inverse * scales[j]), -128, 127);
        float scale = d * (float)kept[j];
        for (int l = 16 * j; scale != 0 && l < 16 * j + 16; l++)
            levels[l] = (uint8_t)(clamp(nearest(x[l] / scale), -32, 31) + 32);
    }
    for (int half = 0; half < 2; half++)
        for (int l = 0; l < 32; l++) {
            const uint8_t *q = levels + 128 * half + l;
            low[64 * half + l] = (uint8_t)((q[0] & 15) | (q[64] & 15) << 4);
            low[64 * half + 32 + l] = (uint8_t)((q[32] & 15) | (q[96] & 15) << 4);
            high[32 * half + l] = (uint8_t)(q[0] >> 4 | q[32] >> 4 << 2 | q[64] >> 4 << 4 | q[96] >> 4 << 6);
        }
    return fits(1 / inverse);
}
