// base/random.h: two sources of random numbers.
//
// dit_generator draws the numbers that PyTorch's CPU generator draws after manual_seed(seed), value for value, so that
// noise can be compared with the field's. dit_counter_* are functions of (seed, stream, index) without state, for what
// must not depend on order, threads or resuming: dropout, data order, augmentation.
//
// Both give the same bits on every machine: no result depends on an instruction set or on a vector library. (The one
// exception is inherited: fewer than 16 normals at once go through the C library's double log1p, sin and cos, whose
// last bit shows in the float result about once in 10^8 values.)
#ifndef DIT_BASE_RANDOM_H
#define DIT_BASE_RANDOM_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIT_MT_WORDS = 624 };

// Mersenne twister 19937 (Matsumoto and Nishimura 1998). A plain value: copy it to keep a state.
typedef struct dit_generator {
    uint32_t word[DIT_MT_WORDS];
    int left;        // words not yet drawn, plus one: 1..624
    bool has_normal; // the second value of the last scalar Box-Muller pair is still to be given out
    double normal;
    uint64_t seed; // as given, kept for reports
} dit_generator;

// Seeds keep their low 32 bits, as the twister's initialisation does.
void dit_generator_seed(dit_generator *g, uint64_t seed);
uint32_t dit_generator_u32(dit_generator *g); // one word
uint64_t dit_generator_u64(dit_generator *g); // two words, the first one high

// torch.randn(n): standard normals. For n >= 16, Box-Muller in float32 in blocks of 16 (8 radii, 8 angles); the last
// 16 values are drawn again when n is not a multiple of 16. Below 16, pairs in double precision, one value kept.
void dit_randn(dit_generator *g, float *out, size_t n);
// torch.rand(n): multiples of 2^-24 in [0, 1).
void dit_rand(dit_generator *g, float *out, size_t n);
// torch.randint(low, high, (n,)): int64 in [low, high). The caller has made sure that low < high. Ranges of 2^28 and
// more draw 64 bits a value.
void dit_randint(dit_generator *g, int64_t low, int64_t high, int64_t *out, size_t n);
// torch.randperm(n): a permutation of 0..n-1 in int64.
void dit_randperm(dit_generator *g, int64_t *out, size_t n);

// The state in the layout of torch.Generator.get_state(), so that either side can go on where the other stopped.
enum { DIT_GENERATOR_BYTES = 5056 };
void dit_generator_save(const dit_generator *g, uint8_t bytes[DIT_GENERATOR_BYTES]);
// DIT_BAD_FILE when the bytes are no state; *g is untouched then.
dit_status dit_generator_load(dit_generator *g, const uint8_t bytes[DIT_GENERATOR_BYTES], dit_error *error);

// Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): 128 bits from a 128-bit counter
// and a 64-bit key.
typedef struct dit_philox_block {
    uint32_t word[4];
} dit_philox_block;

static inline dit_philox_block dit_philox(dit_philox_block counter, uint64_t key)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * counter.word[0], b = (uint64_t)0xCD9E8D57u * counter.word[2];
        counter = (dit_philox_block){{(uint32_t)(b >> 32) ^ counter.word[1] ^ k0, (uint32_t)b,
                                      (uint32_t)(a >> 32) ^ counter.word[3] ^ k1, (uint32_t)a}};
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    return counter;
}

// The words of block `block` of a stream: key = seed, counter = (block, stream), both 64 bits.
static inline dit_philox_block dit_counter_block(uint64_t seed, uint64_t stream, uint64_t block)
{
    return dit_philox(
        (dit_philox_block){{(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)}},
        seed);
}

// Word number `index` of a stream: uniform in 0..2^32-1.
static inline uint32_t dit_counter_u32(uint64_t seed, uint64_t stream, uint64_t index)
{
    return dit_counter_block(seed, stream, index / 4).word[index % 4];
}

// The same as a multiple of 2^-24 in [0, 1).
static inline float dit_counter_uniform(uint64_t seed, uint64_t stream, uint64_t index)
{
    return (float)(dit_counter_u32(seed, stream, index) >> 8) * 0x1p-24f;
}

// out[i] = dit_counter_uniform(seed, stream, first + i), four times as fast.
void dit_counter_uniforms(uint64_t seed, uint64_t stream, uint64_t first, float *out, size_t n);
// A standard normal: Box-Muller in double on words 2 index and 2 index + 1.
double dit_counter_normal(uint64_t seed, uint64_t stream, uint64_t index);
// An integer below `bound` (>= 1), from two words: the bias is below bound / 2^64.
uint64_t dit_counter_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bound);
// Element `index` of a permutation of 0..n-1 that (seed, stream) selects; index < n. Takes no memory and, on average,
// fewer than 4 trips through a 6-round Feistel network, so any n can be shuffled and any place looked up.
uint64_t dit_counter_permutation(uint64_t seed, uint64_t stream, uint64_t n, uint64_t index);

#endif
