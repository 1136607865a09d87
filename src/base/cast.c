// base/cast.c: floating-point conversions, in blocks that pass through f32 in the processor's nearest cache.
#include "base/cast.h"
#include <math.h>
#include <string.h>

enum { BLOCK = 2048 };

// Widens n elements that begin at element `at`. Returns false when a finite f64 is beyond f32.
static bool widen(float *block, dit_dtype from, const void *source, int64_t at, int n)
{
    bool fits = true;
    switch (from) {
    case DIT_F16:
        for (int i = 0; i < n; i++)
            block[i] = dit_f16_to_f32(((const uint16_t *)source)[at + i]);
        break;
    case DIT_BF16:
        for (int i = 0; i < n; i++)
            block[i] = dit_bf16_to_f32(((const uint16_t *)source)[at + i]);
        break;
    case DIT_F64:
        for (int i = 0; i < n; i++) {
            double value = ((const double *)source)[at + i];
            block[i] = (float)value;
            fits = fits && (!isinf(block[i]) || isinf(value));
        }
        break;
    default:
        memcpy(block, (const float *)source + at, (size_t)n * sizeof *block);
    }
    return fits;
}

// Rounds n elements into the place that begins at element `at`. Returns false when a finite value became infinite.
static bool narrow(dit_dtype to, void *result, int64_t at, const float *block, int n)
{
    uint16_t *half = (uint16_t *)result + at;
    unsigned overflows = 0;
    switch (to) {
    case DIT_F16:
        for (int i = 0; i < n; i++) {
            half[i] = dit_f32_to_f16(block[i]);
            overflows |= (half[i] & 0x7fff) == 0x7c00 && !isinf(block[i]);
        }
        break;
    case DIT_BF16:
        for (int i = 0; i < n; i++) {
            half[i] = dit_f32_to_bf16(block[i]);
            overflows |= (half[i] & 0x7fff) == 0x7f80 && !isinf(block[i]);
        }
        break;
    case DIT_F64:
        for (int i = 0; i < n; i++)
            ((double *)result)[at + i] = (double)block[i];
        break;
    default:
        memcpy((float *)result + at, block, (size_t)n * sizeof *block);
    }
    return !overflows;
}

bool dit_cast_floats(dit_dtype to, void *result, dit_dtype from, const void *source, int64_t count)
{
    bool fits = true;
    if (to == from) {
        memcpy(result, source, (size_t)count * dit_dtype_size(to));
        return true;
    }
#pragma omp parallel for reduction(&& : fits)
    for (int64_t at = 0; at < count; at += BLOCK) {
        float block[BLOCK];
        int n = (int)(count - at < BLOCK ? count - at : BLOCK);
        bool widened = widen(block, from, source, at, n);
        fits = narrow(to, result, at, block, n) && widened && fits;
    }
    return fits;
}
