// base/random.c: the twister and the distributions drawn from it, then the counter-based functions.
#include "base/random.h"
#include <math.h>
#include <string.h>

// --- the Mersenne twister ---

enum { SHIFT = 397 }; // m of the recurrence

void dit_generator_seed(dit_generator *g, uint64_t seed)
{
    g->word[0] = (uint32_t)seed;
    for (uint32_t i = 1; i < DIT_MT_WORDS; i++)
        g->word[i] = 1812433253u * (g->word[i - 1] ^ (g->word[i - 1] >> 30)) + i;
    g->left = 1;
    g->has_normal = false;
    g->normal = 0;
    g->seed = seed;
}

static uint32_t twist(uint32_t upper, uint32_t lower)
{
    return (((upper & 0x80000000u) | (lower & 0x7fffffffu)) >> 1) ^ (-(lower & 1) & 0x9908b0dfu);
}

static void next_state(dit_generator *g)
{
    uint32_t *w = g->word;
#pragma omp simd safelen(16)
    for (int i = 0; i < DIT_MT_WORDS - SHIFT; i++)
        w[i] = w[i + SHIFT] ^ twist(w[i], w[i + 1]);
#pragma omp simd safelen(16)
    for (int i = DIT_MT_WORDS - SHIFT; i < DIT_MT_WORDS - 1; i++)
        w[i] = w[i + SHIFT - DIT_MT_WORDS] ^ twist(w[i], w[i + 1]);
    w[DIT_MT_WORDS - 1] = w[SHIFT - 1] ^ twist(w[DIT_MT_WORDS - 1], w[0]);
    g->left = DIT_MT_WORDS + 1;
}

static inline uint32_t temper(uint32_t y)
{
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

uint32_t dit_generator_u32(dit_generator *g)
{
    if (g->left == 1)
        next_state(g);
    return temper(g->word[DIT_MT_WORDS + 1 - g->left--]);
}

uint64_t dit_generator_u64(dit_generator *g)
{
    uint64_t high = dit_generator_u32(g);
    return high << 32 | dit_generator_u32(g);
}

// --- uniform ---

void dit_rand(dit_generator *g, float *out, size_t n)
{
    while (n > 0) {
        if (g->left == 1)
            next_state(g);
        const uint32_t *word = g->word + DIT_MT_WORDS + 1 - g->left;
        int count = n < (size_t)g->left ? (int)n : g->left - 1;
#pragma omp simd
        for (int i = 0; i < count; i++)
            out[i] = (float)(int32_t)(temper(word[i]) & 0xffffff) * 0x1p-24f;
        g->left -= count;
        out += count;
        n -= (size_t)count;
    }
}

void dit_randint(dit_generator *g, int64_t low, int64_t high, int64_t *out, size_t n)
{
    uint64_t range = (uint64_t)high - (uint64_t)low;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = range >= UINT64_C(1) << 28 ? dit_generator_u64(g) : dit_generator_u32(g);
        out[i] = (int64_t)(bits % range + (uint64_t)low);
    }
}

void dit_randperm(dit_generator *g, int64_t *out, size_t n)
{
    if (n < UINT32_MAX / 20) { // below this one word a draw has little bias: shuffle from the front
        for (size_t i = 0; i < n; i++)
            out[i] = (int64_t)i;
        for (size_t i = 0; i + 1 < n; i++) {
            size_t other = i + dit_generator_u32(g) % (n - i);
            int64_t kept = out[i];
            out[i] = out[other];
            out[other] = kept;
        }
        return;
    }
    for (size_t i = 0; i < n; i++) { // "inside out": the array needs no initial values
        size_t other = dit_generator_u64(g) % (i + 1);
        out[i] = (int64_t)i;
        out[i] = out[other];
        out[other] = (int64_t)i;
    }
}

// --- normal ---

union float_bits {
    float f;
    uint32_t u;
};

// log(x) for x in (0, 1]. Polynomial and range reduction of Cephes' logf (Moshier), in the order and with the fused
// multiply-adds of the vector code that the reference runs.
static inline __attribute__((always_inline)) float log_cephes(float x)
{
    // Selections are masks on the bits, so that every compiler makes vector code of the loop around.
    union float_bits half = {x}, below;
    uint32_t exponent = half.u >> 23;
    half.u = (half.u & 0x007fffff) | 0x3f000000;      // the mantissa, in [1/2, 1)
    uint32_t mask = -(uint32_t)(half.u < 0x3f3504f3); // below sqrt(1/2): take twice the mantissa and one exponent less
    below.u = half.u & mask;
    float e = (float)((int32_t)exponent - 126 + (int32_t)mask);
    float m = half.f - 1.0f + below.f;
    float z = m * m;
    float y = 7.0376836292e-2f;
    y = fmaf(y, m, -1.1514610310e-1f);
    y = fmaf(y, m, 1.1676998740e-1f);
    y = fmaf(y, m, -1.2420140846e-1f);
    y = fmaf(y, m, 1.4249322787e-1f);
    y = fmaf(y, m, -1.6668057665e-1f);
    y = fmaf(y, m, 2.0000714765e-1f);
    y = fmaf(y, m, -2.4999993993e-1f);
    y = fmaf(y, m, 3.3333331174e-1f);
    y = fmaf(y * m, z, e * -2.12194440e-4f);
    y = fmaf(z, -0.5f, y);
    return fmaf(e, 0.693359375f, m + y);
}

// sin(x) and cos(x) for x in [0, 2 pi]: Cephes' sinf and cosf, likewise.
static inline __attribute__((always_inline)) void sincos_cephes(float x, float *sine, float *cosine)
{
    uint32_t octant = (uint32_t)(int32_t)(x * 1.27323954473516f);
    octant = (octant + 1) & ~1u;
    float k = (float)(int32_t)octant;
    x = fmaf(k, -0.78515625f, x); // x - k pi/4, in three parts
    x = fmaf(k, -2.4187564849853515625e-4f, x);
    x = fmaf(k, -3.77489497744594108e-8f, x);
    float z = x * x;
    float c = fmaf(2.443315711809948e-5f, z, -1.388731625493765e-3f);
    c = fmaf(c, z, 4.166664568298827e-2f);
    c = fmaf(c * z, z, z * -0.5f) + 1.0f;
    float s = fmaf(-1.9515295891e-4f, z, 8.3321608736e-3f);
    s = fmaf(s, z, -1.6666654611e-1f);
    s = fmaf(s * z, x, x);
    union float_bits a = {s}, b = {c};
    uint32_t swapped = (a.u ^ b.u) & -(octant >> 1 & 1);
    a.u ^= swapped ^ (octant & 4) << 29;
    b.u ^= swapped ^ (~(octant - 2) & 4) << 29;
    *sine = a.f;
    *cosine = b.f;
}

// Box-Muller in place on blocks of 16 uniforms: 8 radii, then 8 angles.
static inline __attribute__((always_inline)) void box_muller(float *x, size_t blocks)
{
    for (size_t b = 0; b < blocks; b++, x += 16) {
#pragma omp simd
        for (int j = 0; j < 8; j++) {
            float radius = sqrtf(-2.0f * log_cephes(1.0f - x[j]));
            float s, c;
            sincos_cephes(6.283185307179586f * x[j + 8], &s, &c);
            x[j] = radius * c;
            x[j + 8] = radius * s;
        }
    }
}

// The same operations, compiled for machines with fused multiply-add; elsewhere fmaf() is emulated: slow, same bits.
#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void box_muller_avx2(float *x, size_t blocks)
{
    box_muller(x, blocks);
}
#endif

static void normals_from_uniforms(float *x, size_t blocks)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        box_muller_avx2(x, blocks);
        return;
    }
#endif
    box_muller(x, blocks);
}

static double uniform_f64(dit_generator *g)
{
    return (double)(dit_generator_u64(g) & ((UINT64_C(1) << 53) - 1)) * 0x1p-53;
}

static double normal_f64(dit_generator *g)
{
    if (g->has_normal) {
        g->has_normal = false;
        return g->normal;
    }
    double angle = 2.0 * 3.14159265358979323846 * uniform_f64(g);
    double radius = sqrt(-2.0 * log1p(-uniform_f64(g)));
    g->normal = radius * sin(angle);
    g->has_normal = true;
    return radius * cos(angle);
}

void dit_randn(dit_generator *g, float *out, size_t n)
{
    if (n < 16) {
        for (size_t i = 0; i < n; i++)
            out[i] = (float)normal_f64(g);
        return;
    }
    dit_rand(g, out, n);
    normals_from_uniforms(out, n / 16);
    if (n % 16) {
        dit_rand(g, out + n - 16, 16);
        normals_from_uniforms(out + n - 16, 1);
    }
}

// --- saved states ---

// Offsets in torch's layout.
enum {
    AT_SEED = 0,               // u64
    AT_LEFT = 8,               // i32
    AT_SEEDED = 12,            // i32, 1
    AT_NEXT = 16,              // u64: index of the next word
    AT_WORDS = 24,             // 624 u64
    AT_NORMAL = 5024,          // f64: the kept normal
    AT_NORMAL_IS_VALID = 5040, // i32
};

static void put(uint8_t *at, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t *at, int size)
{
    uint64_t value = 0;
    for (int i = 0; i < size; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

void dit_generator_save(const dit_generator *g, uint8_t bytes[DIT_GENERATOR_BYTES])
{
    uint64_t normal = 0;
    if (g->has_normal)
        memcpy(&normal, &g->normal, sizeof normal);
    memset(bytes, 0, DIT_GENERATOR_BYTES);
    put(bytes + AT_SEED, g->seed, 8);
    put(bytes + AT_LEFT, (uint64_t)g->left, 4);
    put(bytes + AT_SEEDED, 1, 4);
    put(bytes + AT_NEXT, (uint64_t)(DIT_MT_WORDS + 1 - g->left), 8);
    for (int i = 0; i < DIT_MT_WORDS; i++)
        put(bytes + AT_WORDS + 8 * i, g->word[i], 8);
    put(bytes + AT_NORMAL, normal, 8);
    put(bytes + AT_NORMAL_IS_VALID, g->has_normal, 4);
}

dit_status dit_generator_load(dit_generator *g, const uint8_t bytes[DIT_GENERATOR_BYTES], dit_error *error)
{
    uint64_t left = get(bytes + AT_LEFT, 4), next = get(bytes + AT_NEXT, 8), valid = get(bytes + AT_NORMAL_IS_VALID, 4);
    // A fresh generator has left 1 and, in torch's own files, next 0.
    bool counts = left >= 1 && left <= DIT_MT_WORDS && (next == DIT_MT_WORDS + 1 - left || (left == 1 && next == 0));
    if (get(bytes + AT_SEEDED, 4) != 1 || !counts || valid > 1)
        return dit_fail(error, DIT_BAD_FILE, "the generator's state is not one that a generator saved");
    for (int i = 0; i < DIT_MT_WORDS; i++)
        if (get(bytes + AT_WORDS + 8 * i, 8) > UINT32_MAX)
            return dit_fail(error, DIT_BAD_FILE, "the generator's state has a word of more than 32 bits at %d", i);
    for (int i = 0; i < DIT_MT_WORDS; i++)
        g->word[i] = (uint32_t)get(bytes + AT_WORDS + 8 * i, 8);
    g->seed = get(bytes + AT_SEED, 8);
    g->left = (int)left;
    g->has_normal = valid;
    uint64_t normal = valid ? get(bytes + AT_NORMAL, 8) : 0;
    memcpy(&g->normal, &normal, sizeof normal);
    return DIT_OK;
}

// --- counter-based ---

void dit_counter_uniforms(uint64_t seed, uint64_t stream, uint64_t first, float *out, size_t n)
{
    size_t i = 0;
    for (; i < n && (first + i) % 4; i++)
        out[i] = dit_counter_uniform(seed, stream, first + i);
    for (; i + 4 <= n; i += 4) {
        dit_philox_block block = dit_counter_block(seed, stream, (first + i) / 4);
        for (int j = 0; j < 4; j++)
            out[i + (size_t)j] = (float)(block.word[j] >> 8) * 0x1p-24f;
    }
    for (; i < n; i++)
        out[i] = dit_counter_uniform(seed, stream, first + i);
}

double dit_counter_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    dit_philox_block block = dit_counter_block(seed, stream, index / 2);
    const uint32_t *word = block.word + index % 2 * 2;
    double radius = sqrt(-2.0 * log(((double)word[0] + 1.0) * 0x1p-32)); // (0, 1]: the logarithm is finite
    return radius * cos(2.0 * 3.14159265358979323846 * 0x1p-32 * (double)word[1]);
}

uint64_t dit_counter_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bound)
{
    dit_philox_block block = dit_counter_block(seed, stream, index / 2);
    const uint32_t *word = block.word + index % 2 * 2;
    uint64_t bits = (uint64_t)word[0] << 32 | word[1];
    return (uint64_t)((unsigned __int128)bits * bound >> 64);
}

uint64_t dit_counter_permutation(uint64_t seed, uint64_t stream, uint64_t n, uint64_t index)
{
    int half = 1; // bits of each half: the network permutes 0..4^half-1, fewer than 4n values
    while (half < 32 && (UINT64_C(1) << 2 * half) < n)
        half++;
    uint64_t mask = (UINT64_C(1) << half) - 1;
    uint64_t x = index;
    do { // walk the cycle until it is back inside 0..n-1: still a permutation (Black and Rogaway 2002)
        uint64_t left = x >> half, right = x & mask;
        for (uint32_t round = 0; round < 6; round++) {
            dit_philox_block block = dit_philox(
                (dit_philox_block){{(uint32_t)right, round, (uint32_t)stream, (uint32_t)(stream >> 32)}}, ~seed);
            uint64_t mixed = left ^ (block.word[0] & mask);
            left = right;
            right = mixed;
        }
        x = left << half | right;
    } while (x >= n);
    return x;
}
