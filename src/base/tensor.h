// base/tensor.h: element types, shapes, and arrays in memory, shared by files, kernels and graphs.
#ifndef DIT_BASE_TENSOR_H
#define DIT_BASE_TENSOR_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIT_MAX_RANK = 6 };

typedef enum dit_dtype {
    DIT_F32,
    DIT_F16,
    DIT_BF16,
    DIT_I32,
    DIT_I64,
    DIT_U8,
    DIT_BOOL,
    DIT_F64, // files only: no kernel computes in it
    // Quantised weights: read, never computed in.
    DIT_F8_E4M3, // no infinity; 0x7f and 0xff are NaN ("e4m3fn")
    DIT_F8_E5M2,
    // GGUF's block formats: some elements of a row together, with their scales (base/block_format.h)
    DIT_Q8_0,
    DIT_Q4_0,
    DIT_Q4_1,
    DIT_Q5_0,
    DIT_Q5_1,
    DIT_Q2_K,
    DIT_Q3_K,
    DIT_Q4_K,
    DIT_Q5_K,
    DIT_Q6_K,
    DIT_DTYPES,
} dit_dtype;

// Elements of the last axis that are stored together: 32 or 256 for a block format, otherwise 1.
int dit_dtype_block(dit_dtype dtype);
// Bytes of one element, or of one block in a block format.
size_t dit_dtype_size(dit_dtype dtype);
// "f32", "bf16", ...; and the reverse, false when the name is unknown.
const char *dit_dtype_name(dit_dtype dtype);
bool dit_dtype_from_name(const char *name, dit_dtype *dtype);
static inline bool dit_dtype_is_float(dit_dtype d)
{
    return d == DIT_F32 || d == DIT_F16 || d == DIT_BF16 || d == DIT_F64;
}
// Real numbers in few bits: f8 and the block formats.
static inline bool dit_dtype_is_quantized(dit_dtype d)
{
    return d >= DIT_F8_E4M3 && d < DIT_DTYPES;
}
static inline bool dit_dtype_is_block(dit_dtype d)
{
    return d >= DIT_Q8_0 && d < DIT_DTYPES;
}

// Extents, outermost first. A scalar has rank 0.
typedef struct dit_shape {
    int rank;
    int64_t dim[DIT_MAX_RANK];
} dit_shape;

// DIT_SHAPE(2, 4, 32, 32): a shape from its extents.
#define DIT_SHAPE(...) ((dit_shape){(int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), {__VA_ARGS__}})
#define DIT_SCALAR ((dit_shape){0, {0}})

// Number of elements; the shape is known to be sane (see dit_shape_check).
int64_t dit_shape_count(const dit_shape *shape);
bool dit_shape_equal(const dit_shape *a, const dit_shape *b);
// Fails when the rank is out of range, an extent is negative, the bytes do not fit in 62 bits, or the last extent of a
// block format is not a multiple of its block.
dit_status dit_shape_check(const dit_shape *shape, dit_dtype dtype, dit_error *error);
// Writes "(2, 4, 32, 32)" into `text`, which it returns.
char *dit_shape_text(const dit_shape *shape, char text[160]);

// A dense row-major array. Who owns `data` is said where the array is handed out.
typedef struct dit_array {
    dit_dtype dtype;
    dit_shape shape;
    void *data;
} dit_array;

// Bytes of the whole array.
size_t dit_array_bytes(const dit_array *array);
// Allocates zeroed, 64-byte aligned data (release it with free).
dit_status dit_array_alloc(dit_array *array, dit_dtype dtype, dit_shape shape, dit_error *error);

// An array seen through strides (counted in elements; 0 repeats an element).
typedef struct dit_view {
    dit_dtype dtype;
    dit_shape shape;
    int64_t stride[DIT_MAX_RANK];
    void *data;
} dit_view;

dit_view dit_view_of(const dit_array *array);
void dit_view_set_contiguous(dit_view *view); // strides of a dense row-major array
bool dit_view_is_contiguous(const dit_view *view);

// One element widened to double (in a block format its block is decoded for it), and a double rounded to nearest even
// into one element (integers: truncated; not for block formats).
double dit_element_get(dit_dtype dtype, const void *data, int64_t index);
void dit_element_set(dit_dtype dtype, void *data, int64_t index, double value);
float dit_f16_to_f32(uint16_t bits);
uint16_t dit_f32_to_f16(float value);
// Micikevicius et al. 2022 (arXiv 2209.05433), rounded as PyTorch does: ties to even; what is beyond the range becomes
// 448 in e4m3 and infinity in e5m2.
float dit_f8_e4m3_to_f32(uint8_t bits);
uint8_t dit_f32_to_f8_e4m3(float value);
float dit_f8_e5m2_to_f32(uint8_t bits);
uint8_t dit_f32_to_f8_e5m2(float value);
static inline float dit_bf16_to_f32(uint16_t bits)
{
    union {
        uint32_t u;
        float f;
    } x = {(uint32_t)bits << 16};
    return x.f;
}
static inline uint16_t dit_f32_to_bf16(float value)
{
    union {
        float f;
        uint32_t u;
    } x = {value};
    if ((x.u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((x.u >> 16) | 0x40); // a NaN stays one
    return (uint16_t)((x.u + 0x7fffu + ((x.u >> 16) & 1)) >> 16);
}

#endif
