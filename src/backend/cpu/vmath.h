// backend/cpu/vmath.h: float functions without branches or calls, which compilers turn into vector code inside
// `#pragma omp simd` loops. Errors are the largest seen over a sweep of all floats (tests/backend/cpu/vmath_test.c), in
// ulp: the distance between floats at the exact result. Infinities, NaN, overflow and underflow give what the C
// library gives, except where noted. Polynomials are minimax fits (Lawson's iteration) made for this file.
#ifndef DIT_BACKEND_CPU_VMATH_H
#define DIT_BACKEND_CPU_VMATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

// A function that were not inlined would stop its caller's loop from becoming vector code.
#define VM_INLINE static inline __attribute__((always_inline))

VM_INLINE uint32_t vbits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

VM_INLINE float vfloat(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

// Adding this leaves the nearest integer in the low bits of a float below 2^22 in size (rintf is a call in SSE2).
#define VM_ROUND 0x1.8p23f

// exp(x) = 2^n exp(r), |r| <= ln(2) / 2. 1.1 ulp.
VM_INLINE float vexp(float x)
{
    float c = x < -104.0f ? -104.0f : x;
    c = c > 89.0f ? 89.0f : c;
    float shifted = c * 0x1.715476p+0f + VM_ROUND, n = shifted - VM_ROUND;
    float r = (c - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f; // n * the first part of ln(2) is exact
    float p = 0x1.6a4b98p-10f;
    p = p * r + 0x1.123e5cp-7f;
    p = p * r + 0x1.5558bap-5f;
    p = p * r + 0x1.55548cp-3f;
    p = p * r + 0x1.fffffcp-2f;
    p = (p * r) * r + r + 1.0f;
    // 2^n in two factors, since n = 128 and n < -126 have no float of their own.
    int32_t exponent = (int32_t)(vbits(shifted) - vbits(VM_ROUND)), half = exponent >> 1;
    float y = p * vfloat(((uint32_t)half + 127u) << 23) * vfloat(((uint32_t)(exponent - half) + 127u) << 23);
    return y;
}

// log(x) = e ln(2) + log(1 + f), with x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt(2). 0.9 ulp.
VM_INLINE float vlog(float x)
{
    float normal = x < 0x1p-126f ? x * 0x1p23f : x;
    uint32_t u = vbits(normal) - 0x3f3504f3u;
    float e = (float)((int32_t)u >> 23) - (x < 0x1p-126f ? 23.0f : 0.0f);
    float f = vfloat((u & 0x7fffffu) + 0x3f3504f3u) - 1.0f, ff = f * f;
    float p = 0x1.16a74cp-4f;
    p = p * f - 0x1.e02110p-4f;
    p = p * f + 0x1.e6d1b6p-4f;
    p = p * f - 0x1.fbbf34p-4f;
    p = p * f + 0x1.233318p-3f;
    p = p * f - 0x1.555fbep-3f;
    p = p * f + 0x1.99a524p-3f;
    p = p * f - 0x1.fffff8p-3f;
    p = p * f + 0x1.555546p-2f;
    float y = ((p * f) * ff + e * 0x1.7f7d1cp-20f - 0.5f * ff) + f + e * 0x1.62e4p-1f;
    y = x < INFINITY ? y : x; // infinity, NaN
    y = x < 0.0f ? NAN : y;
    return x == 0.0f ? -INFINITY : y;
}

// The sign of s on the magnitude of x.
VM_INLINE float vcopysign(float x, float s)
{
    return vfloat((vbits(x) & 0x7fffffffu) | (vbits(s) & 0x80000000u));
}

// tanh(x): odd polynomial below 0.625, 1 - 2 / (exp(2x) + 1) above. 1.7 ulp.
VM_INLINE float vtanh(float x)
{
    float a = fabsf(x), s = a * a;
    float p = -0x1.7165c6p-8f;
    p = p * s + 0x1.512c58p-6f;
    p = p * s - 0x1.b8172ap-5f;
    p = p * s + 0x1.110614p-3f;
    p = p * s - 0x1.55552ep-2f;
    float small = (p * s) * a + a, large = 1.0f - 2.0f / (vexp(2.0f * a) + 1.0f);
    return vcopysign(a < 0.625f ? small : large, x);
}

// erf(x): odd polynomial below 0.92, 1 - exp(-polynomial) above. 1.5 ulp.
VM_INLINE float verf(float x)
{
    float a = fabsf(x), s = a * a;
    float p = 0x1.4f578ap-14f;
    p = p * s - 0x1.a606f8p-11f;
    p = p * s + 0x1.5449e6p-8f;
    p = p * s - 0x1.b80118p-6f;
    p = p * s + 0x1.ce2d64p-4f;
    p = p * s - 0x1.812740p-2f;
    p = p * s + 0x1.06eba8p-3f;
    float small = p * a + a;
    float t = a > 4.0f ? 4.0f : a; // erf(4) rounds to 1
    float q = 0x1.5eb79ap-16f;
    q = q * t - 0x1.c5420cp-12f;
    q = q * t + 0x1.10a7c0p-8f;
    q = q * t - 0x1.9b186cp-6f;
    q = q * t + 0x1.bb561ep-4f;
    q = q * t + 0x1.444b44p-1f;
    q = q * t + 0x1.212698p+0f;
    q = q * t - 0x1.65ac08p-13f;
    float large = 1.0f - vexp(-q);
    return vcopysign(a < 0.92f ? small : large, x);
}

// 1 / (1 + exp(-x)). 2.5 ulp; results below 2^-126 may be 0.
VM_INLINE float vsigmoid(float x)
{
    return 1.0f / (1.0f + vexp(-x));
}

// x sigmoid(x). 3 ulp; results below 2^-119 may be 0; silu(-infinity) is NaN, as in the formula.
VM_INLINE float vsilu(float x)
{
    return x / (1.0f + vexp(-x));
}

// x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 = x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)), Hendrycks and Gimpel
// 2016 (arXiv 1606.08415). 2 ulp of max(|y|, |x| / 2); infinity as silu.
VM_INLINE float vgelu_tanh(float x)
{
    float u = x * (0x1.988454p+0f + 0x1.2444f2p-4f * (x * x));
    return x / (1.0f + vexp(-u));
}

// x (1 + erf(x / sqrt(2))) / 2, ibid. 2 ulp of max(|y|, |x| / 2); infinity as silu.
VM_INLINE float vgelu_erf(float x)
{
    return 0.5f * x * (1.0f + verf(x * 0x1.6a09e6p-1f));
}

// x = (quadrant + r) pi/2 with |r| <= 1/2 (and a little): r pi/2 is returned, exact to 1e-15 relative or better.
// Below 2^20 by subtracting a multiple of pi/2 in two parts; from there on by multiplying the mantissa with the 96 bits
// of 2/pi that matter (Payne and Hanek 1983), so that every float is reduced properly.
VM_INLINE double vreduce_quadrant(float x, uint32_t *quadrant)
{
    static const uint32_t two_over_pi[8] = {0,           0xa2f9836eu, 0x4e441529u, 0xfc2757d1u,
                                            0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu};
    uint32_t u = vbits(x) & 0x7fffffffu;
    double a = (double)vfloat(u), shifted = a * 0x1.45f306dc9c883p-1 + 0x1.8p52, n = shifted - 0x1.8p52;
    uint64_t shifted_bits;
    memcpy(&shifted_bits, &shifted, sizeof shifted_bits);
    double near = (a - n * 0x1.921fb544p+0) - n * 0x1.0b4611a626331p-34;

    uint32_t big = u < 0x49800000u ? 0x49800000u : u; // 2^20: the exponent below is at least 20
    uint32_t offset = (big >> 23) - 127u + 7u, word = offset >> 5, shift = offset & 31u;
    uint64_t m = (big & 0x7fffffu) | 0x800000u;
    uint64_t w0 = two_over_pi[word], w1 = two_over_pi[word + 1], w2 = two_over_pi[word + 2], w3 = two_over_pi[word + 3];
    uint64_t b0 = ((w0 << 32 | w1) >> (32u - shift)) & 0xffffffffu,
             b1 = ((w1 << 32 | w2) >> (32u - shift)) & 0xffffffffu,
             b2 = ((w2 << 32 | w3) >> (32u - shift)) & 0xffffffffu;
    uint64_t turns = ((m * b0) << 32) + m * b1 + ((m * b2) >> 32); // of the full circle, times 2^64
    uint64_t fraction = turns << 2;
    double far = ((double)(int32_t)(fraction >> 32) + (double)(int32_t)((fraction & 0xffffffffu) >> 1) * 0x1p-31) *
                 (0x1.921fb54442d18p+0 * 0x1p-32);

    *quadrant = u < 0x49800000u ? (uint32_t)shifted_bits : (uint32_t)(turns >> 62) + (uint32_t)(fraction >> 63);
    return u < 0x49800000u ? near : far;
}

// sin(x) for quadrant 0 and |x|, shifted by whole quadrants. In double, so that rounding the result is nearly all of
// the error.
VM_INLINE float vsin_quadrant(double r, uint32_t quadrant)
{
    double s = r * r;
    double p = 2.71756821098321e-06, q = -2.717260289050033e-07;
    p = p * s - 0.00019839257032128752;
    q = q * s + 2.479893860004266e-05;
    p = p * s + 0.0083333291451657;
    q = q * s - 0.0013888880602232583;
    p = p * s - 0.16666666639568764;
    q = q * s + 0.041666666553480176;
    q = q * s - 0.49999999999497885;
    float sine = (float)(r + r * (s * p)), cosine = (float)(1.0 + s * q);
    float y = quadrant & 1u ? cosine : sine;
    return vfloat(vbits(y) ^ (quadrant & 2u) << 30);
}

// sin(x), x in radians. 0.51 ulp, also for the largest arguments.
VM_INLINE float vsin(float x)
{
    uint32_t quadrant;
    double r = vreduce_quadrant(x, &quadrant);
    float y = vsin_quadrant(r, quadrant);
    y = vfloat(vbits(y) ^ (vbits(x) & 0x80000000u));
    return fabsf(x) < INFINITY ? y : x - x;
}

// cos(x), x in radians. 0.51 ulp, also for the largest arguments.
VM_INLINE float vcos(float x)
{
    uint32_t quadrant;
    double r = vreduce_quadrant(x, &quadrant);
    float y = vsin_quadrant(r, quadrant + 1u);
    return fabsf(x) < INFINITY ? y : x - x;
}

#endif
