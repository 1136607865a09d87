// base/cast.h: arrays of real numbers in another type.
#ifndef DIT_BASE_CAST_H
#define DIT_BASE_CAST_H

#include "base/tensor.h"

// Converts `count` elements by way of f32. Both types are floating-point or quantised, and `count` is a multiple of
// their blocks. Floating-point types are rounded to nearest, ties to even, as PyTorch does, and NaN stays NaN; block
// formats are quantised as dit_block_encode does. Uses all threads. Returns false when a finite value became infinite,
// a value was beyond the range of e4m3, or one that is not finite went into a block format.
bool dit_cast_floats(dit_dtype to, void *result, dit_dtype from, const void *source, int64_t count);

#endif
