// base/block_format_private.h: one block at a time, for the files that know the layouts.
#ifndef DIT_BASE_BLOCK_FORMAT_PRIVATE_H
#define DIT_BASE_BLOCK_FORMAT_PRIVATE_H

#include "base/block_format.h"

static inline float dit_block_f16(const uint8_t *at)
{
    return dit_f16_to_f32((uint16_t)(at[0] | at[1] << 8));
}

// Stores `value` as f16 and returns what is read back.
static inline float dit_block_put_f16(uint8_t *at, float value)
{
    uint16_t bits = dit_f32_to_f16(value);
    at[0] = (uint8_t)bits;
    at[1] = (uint8_t)(bits >> 8);
    return dit_f16_to_f32(bits);
}

void dit_q2_k_decode(const uint8_t *block, float *values);
void dit_q3_k_decode(const uint8_t *block, float *values);
void dit_q4_k_decode(const uint8_t *block, float *values);
void dit_q5_k_decode(const uint8_t *block, float *values);
void dit_q6_k_decode(const uint8_t *block, float *values);
bool dit_q2_k_encode(const float *values, uint8_t *block);
bool dit_q3_k_encode(const float *values, uint8_t *block);
bool dit_q4_k_encode(const float *values, uint8_t *block);
bool dit_q5_k_encode(const float *values, uint8_t *block);
bool dit_q6_k_encode(const float *values, uint8_t *block);

#endif
