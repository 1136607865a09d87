// backend/cpu/decode.h: quantised weights as floats, a run of a row at a time.
#ifndef DIT_BACKEND_CPU_DECODE_H
#define DIT_BACKEND_CPU_DECODE_H

#include "backend/cpu/isa.h"

// The quantised dtypes, for a kernel's `native_floats` or `native_weight`.
#define DIT_QUANTIZED ((1u << DIT_DTYPES) - (1u << DIT_F8_E4M3))

// Decodes elements `first` to `first + count` of the row at `row`, both multiples of the format's block, as
// base/block_format.h has it; products and sums may be fused, so that the last bit can differ.
#define dit_decode DIT_CPU_SYMBOL(dit_decode)
void dit_decode(dit_dtype format, const void *row, int64_t first, int64_t count, float *values);

// Bytes of `count` elements, a multiple of the format's block.
static inline int64_t dit_row_bytes(dit_dtype format, int64_t count)
{
    return count / dit_dtype_block(format) * (int64_t)dit_dtype_size(format);
}

#endif
