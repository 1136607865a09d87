// base/cast.h: floating-point arrays in another floating-point type.
#ifndef DIT_BASE_CAST_H
#define DIT_BASE_CAST_H

#include "base/tensor.h"

// Rounds `count` elements to the nearest value of type `to`, ties to even, by way of f32 as PyTorch does; NaN stays
// NaN. Both types are floating-point. Uses all threads. Returns false when a finite value became infinite.
bool dit_cast_floats(dit_dtype to, void *result, dit_dtype from, const void *source, int64_t count);

#endif
