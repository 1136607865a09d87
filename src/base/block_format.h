// base/block_format.h: GGUF's block formats: 32 or 256 neighbours of a row as small integers with shared scales.
// Layouts and rounding: ggml (https://github.com/ggml-org/ggml, src/ggml-common.h, src/ggml-quants.c), whose files and
// reference quantisers these functions agree with bit for bit.
//
//   format  elements  bytes  a block
//   Q8_0       32       34   f16 d; int8 q[32]                                       x = d q
//   Q4_0       32       18   f16 d; 4-bit q[32]                                      x = d (q - 8)
//   Q4_1       32       20   f16 d, m; 4-bit q[32]                                   x = d q + m
//   Q5_0       32       22   f16 d; fifth bits in 4 bytes; 4-bit q[32]               x = d (q - 16)
//   Q5_1       32       24   f16 d, m; fifth bits; 4-bit q[32]                       x = d q + m
//   Q2_K      256       84   4-bit scale and minimum of 16 groups; 2-bit q; f16 d, m x = d s q - m t
//   Q3_K      256      110   third bits; 2-bit q; 6-bit scale of 16 groups; f16 d    x = d (s - 32) (q - 4)
//   Q4_K      256      144   f16 d, m; 6-bit scale and minimum of 8 groups; 4-bit q  x = d s q - m t
//   Q5_K      256      176   f16 d, m; the same; fifth bits; 4-bit q                 x = d s q - m t
//   Q6_K      256      210   4-bit q; upper 2 bits; int8 scale of 16 groups; f16 d   x = d s (q - 32)
//
// Numbers are little-endian; blocks need no alignment.
#ifndef DIT_BASE_BLOCK_FORMAT_H
#define DIT_BASE_BLOCK_FORMAT_H

#include "base/tensor.h"

enum {
    DIT_SMALL_BLOCK = 32, // elements
    DIT_K_BLOCK = 256,
    DIT_Q8_0_BYTES = 34,
    DIT_Q4_0_BYTES = 18,
    DIT_Q4_1_BYTES = 20,
    DIT_Q5_0_BYTES = 22,
    DIT_Q5_1_BYTES = 24,
    DIT_Q2_K_BYTES = 84,
    DIT_Q3_K_BYTES = 110,
    DIT_Q4_K_BYTES = 144,
    DIT_Q5_K_BYTES = 176,
    DIT_Q6_K_BYTES = 210,
};

// Decodes `count` elements, a multiple of the format's block.
void dit_block_decode(dit_dtype format, const void *blocks, float *values, int64_t count);

// Encodes `count` elements, a multiple of the format's block. Returns false when one of them is not finite or too large
// for its scale; its block then decodes to something else.
bool dit_block_encode(dit_dtype format, const float *values, void *blocks, int64_t count);

#endif
