// base/cast.c: conversions of real numbers, in runs that pass through f32 in the processor's nearest cache.
#include "base/cast.h"
#include "base/block_format.h"
#include <math.h>
#include <string.h>

enum { BLOCK = 2048 };
_Static_assert(BLOCK % DIT_K_BLOCK == 0 && BLOCK % DIT_SMALL_BLOCK == 0, "runs hold whole blocks of every format");

static size_t bytes_of(dit_dtype dtype, int64_t count)
{
    return (size_t)(count / dit_dtype_block(dtype)) * dit_dtype_size(dtype);
}

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
    case DIT_F32:
        memcpy(block, (const float *)source + at, (size_t)n * sizeof *block);
        break;
    case DIT_F8_E4M3:
        for (int i = 0; i < n; i++)
            block[i] = dit_f8_e4m3_to_f32(((const uint8_t *)source)[at + i]);
        break;
    case DIT_F8_E5M2:
        for (int i = 0; i < n; i++)
            block[i] = dit_f8_e5m2_to_f32(((const uint8_t *)source)[at + i]);
        break;
    default:
        dit_block_decode(from, (const char *)source + bytes_of(from, at), block, n);
    }
    return fits;
}

// Rounds n elements into the place that begins at element `at`. Returns false when a finite value became infinite.
static bool narrow(dit_dtype to, void *result, int64_t at, const float *block, int n)
{
    uint16_t *half = (uint16_t *)result + at;
    uint8_t *eighth = (uint8_t *)result + at;
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
    case DIT_F32:
        memcpy((float *)result + at, block, (size_t)n * sizeof *block);
        break;
    case DIT_F8_E4M3:
        for (int i = 0; i < n; i++) {
            eighth[i] = dit_f32_to_f8_e4m3(block[i]);
            overflows |= (eighth[i] & 0x7f) == 0x7e && fabsf(block[i]) > 464; // beyond a rounding error of 448
        }
        break;
    case DIT_F8_E5M2:
        for (int i = 0; i < n; i++) {
            eighth[i] = dit_f32_to_f8_e5m2(block[i]);
            overflows |= (eighth[i] & 0x7f) == 0x7c && isfinite(block[i]);
        }
        break;
    default:
        overflows = !dit_block_encode(to, block, (char *)result + bytes_of(to, at), n);
    }
    return !overflows;
}

bool dit_cast_floats(dit_dtype to, void *result, dit_dtype from, const void *source, int64_t count)
{
    bool fits = true;
    if (to == from) {
        memcpy(result, source, bytes_of(to, count));
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
