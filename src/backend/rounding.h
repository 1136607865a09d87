// backend/rounding.h: values whose rounding to float is part of an op's contract, computed in one way by the float64
// references and by the kernels.
#ifndef DIT_BACKEND_ROUNDING_H
#define DIT_BACKEND_ROUNDING_H

#include "backend/kernel.h"
#include <math.h>

// rope_table: theta^(-2i / features), the turn, in radians a position, of pair i of an axis. With DIT_F32 every
// intermediate result is rounded to float, in the order of diffusers' get_1d_rotary_pos_embed.
static inline double dit_rope_frequency(int64_t i, int features, float theta, dit_dtype angles)
{
    if (angles == DIT_F64)
        return 1 / pow((double)theta, (double)(2 * i) / features);
    float exponent = (float)(2 * i) / (float)features;
    return (double)(1 / (float)pow((double)theta, (double)exponent));
}

// rope_table: position * frequency, rounded likewise.
static inline double dit_rope_angle(float position, double frequency, dit_dtype angles)
{
    return angles == DIT_F64 ? (double)position * frequency : (double)(position * (float)frequency);
}

// A product rounded on its own: no compiler may fuse it into a sum through the volatile.
static inline float dit_rounded_product(float a, float b)
{
    volatile float product = a * b;
    return product;
}

// exp(x) to the bit as torch.exp gives it on x86 processors (the vector library of MKL, observed on 87 million values):
// x = (128 e + j) log(2) / 128 + r, and 2^(j / 128) (1 + r + r^2 / 2) with the power as a sum of two floats. The
// cubic term that this lacks makes one result in a hundred differ from the nearest float.
static inline float dit_exp_as_torch(float x)
{
    x = fminf(fmaxf(x, -200), 200); // beyond: 0 and infinity
    float k = rintf(x * 184.66496f);
    float r = x - k * (355.0f / 65536); // exact: 14 bits times 9
    r -= dit_rounded_product(k, -1.6577691e-06f);
    float series = r + 0.5f * dit_rounded_product(r, r);
    int e = (int)floorf(k / 128), j = (int)k - 128 * e;
    double power = exp2(j / 128.0);
    float high = (float)power, low = (float)(power - (double)high);
    return ldexpf(high + (low + dit_rounded_product(high, series)), e);
}

// timestep_embedding: max_period^(-i / (half - shift)), rounded after each operation in the order of diffusers'
// get_timestep_embedding. A time near 1000 shows the last bit of a frequency in the fifth digit of the embedding, and a
// small network's output in its sixth.
static inline float dit_timestep_frequency(int64_t i, int half, float shift, float max_period)
{
    float exponent = (float)-log((double)max_period) * (float)i;
    exponent = exponent / (float)((double)half - (double)shift);
    return dit_exp_as_torch(exponent);
}

// resize: y[i] = (1 - fraction) * x[first] + fraction * x[second].
typedef struct dit_resize_tap {
    int64_t first, second;
    float fraction;
} dit_resize_tap;

// Element i of an axis resized from `in` to `out` elements. The source coordinate is rounded where
// torch.nn.functional.interpolate rounds it, which decides the nearest element and the last bits of a fraction.
static inline dit_resize_tap dit_resize_tap_of(int64_t i, int64_t in, int64_t out, dit_resize_mode mode)
{
    float at;
    if (mode == DIT_BILINEAR_CORNERS)
        at = out > 1 ? (float)(in - 1) / (float)(out - 1) * (float)i : 0;
    else if (mode == DIT_BILINEAR) // one rounding after the product and the difference
        at = (float)((double)((float)in / (float)out) * (double)((float)i + 0.5f) - 0.5);
    else
        at = (float)i * ((float)in / (float)out);
    at = at < 0 ? 0 : at;
    int64_t first = (int64_t)at;
    first = first < in - 1 ? first : in - 1;
    dit_resize_tap tap = {first, first, 0};
    if (mode != DIT_NEAREST && first < in - 1) {
        tap.second = first + 1;
        tap.fraction = at - (float)first;
    }
    return tap;
}

#endif
