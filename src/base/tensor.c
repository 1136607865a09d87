// base/tensor.c: shapes, arrays and single elements.
#include "base/tensor.h"
#include "base/block_format.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size; // of a block
    int block;
} dtypes[DIT_DTYPES] = {
    [DIT_F32] = {"f32", 4, 1},
    [DIT_F16] = {"f16", 2, 1},
    [DIT_BF16] = {"bf16", 2, 1},
    [DIT_I32] = {"i32", 4, 1},
    [DIT_I64] = {"i64", 8, 1},
    [DIT_U8] = {"u8", 1, 1},
    [DIT_BOOL] = {"bool", 1, 1},
    [DIT_F64] = {"f64", 8, 1},
    [DIT_F8_E4M3] = {"f8_e4m3", 1, 1},
    [DIT_F8_E5M2] = {"f8_e5m2", 1, 1},
    [DIT_Q8_0] = {"q8_0", DIT_Q8_0_BYTES, DIT_SMALL_BLOCK},
    [DIT_Q4_0] = {"q4_0", DIT_Q4_0_BYTES, DIT_SMALL_BLOCK},
    [DIT_Q4_1] = {"q4_1", DIT_Q4_1_BYTES, DIT_SMALL_BLOCK},
    [DIT_Q5_0] = {"q5_0", DIT_Q5_0_BYTES, DIT_SMALL_BLOCK},
    [DIT_Q5_1] = {"q5_1", DIT_Q5_1_BYTES, DIT_SMALL_BLOCK},
    [DIT_Q2_K] = {"q2_k", DIT_Q2_K_BYTES, DIT_K_BLOCK},
    [DIT_Q3_K] = {"q3_k", DIT_Q3_K_BYTES, DIT_K_BLOCK},
    [DIT_Q4_K] = {"q4_k", DIT_Q4_K_BYTES, DIT_K_BLOCK},
    [DIT_Q5_K] = {"q5_k", DIT_Q5_K_BYTES, DIT_K_BLOCK},
    [DIT_Q6_K] = {"q6_k", DIT_Q6_K_BYTES, DIT_K_BLOCK},
};

size_t dit_dtype_size(dit_dtype dtype)
{
    return dtypes[dtype].size;
}

int dit_dtype_block(dit_dtype dtype)
{
    return dtypes[dtype].block;
}

const char *dit_dtype_name(dit_dtype dtype)
{
    return dtypes[dtype].name;
}

bool dit_dtype_from_name(const char *name, dit_dtype *dtype)
{
    for (int i = 0; i < DIT_DTYPES; i++)
        if (!strcmp(name, dtypes[i].name)) {
            *dtype = (dit_dtype)i;
            return true;
        }
    return false;
}

int64_t dit_shape_count(const dit_shape *shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape->rank; i++)
        n *= shape->dim[i];
    return n;
}

bool dit_shape_equal(const dit_shape *a, const dit_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

dit_status dit_shape_check(const dit_shape *shape, dit_dtype dtype, dit_error *error)
{
    if (shape->rank < 0 || shape->rank > DIT_MAX_RANK)
        return dit_fail(error, DIT_UNSUPPORTED, "a tensor has %d dimensions; at most %d are supported", shape->rank,
                        DIT_MAX_RANK);
    int64_t bytes = (int64_t)dit_dtype_size(dtype);
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 0)
            return dit_fail(error, DIT_BAD_ARGUMENT, "a tensor has the negative extent %lld", (long long)shape->dim[i]);
        if (__builtin_mul_overflow(bytes, shape->dim[i], &bytes) || bytes >> 62)
            return dit_fail(error, DIT_NO_MEMORY, "a tensor is larger than any memory");
    }
    int64_t row = shape->rank ? shape->dim[shape->rank - 1] : 1;
    if (row % dit_dtype_block(dtype))
        return dit_fail(error, DIT_BAD_ARGUMENT, "a tensor has rows of %lld elements; %s stores %d together",
                        (long long)row, dit_dtype_name(dtype), dit_dtype_block(dtype));
    return DIT_OK;
}

char *dit_shape_text(const dit_shape *shape, char text[160])
{
    int n = snprintf(text, 160, "(");
    for (int i = 0; i < shape->rank; i++)
        n += snprintf(text + n, 160 - (size_t)n, i ? ", %lld" : "%lld", (long long)shape->dim[i]);
    snprintf(text + n, 160 - (size_t)n, ")");
    return text;
}

size_t dit_array_bytes(const dit_array *array)
{
    return (size_t)dit_shape_count(&array->shape) / (size_t)dit_dtype_block(array->dtype) *
           dit_dtype_size(array->dtype);
}

dit_status dit_array_alloc(dit_array *array, dit_dtype dtype, dit_shape shape, dit_error *error)
{
    dit_status status = dit_shape_check(&shape, dtype, error);
    if (status)
        return status;
    *array = (dit_array){dtype, shape, NULL};
    size_t bytes = (dit_array_bytes(array) + 63) & ~(size_t)63;
    array->data = aligned_alloc(64, bytes ? bytes : 64);
    if (!array->data)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for a tensor of %zu bytes", bytes);
    memset(array->data, 0, bytes);
    return DIT_OK;
}

void dit_view_set_contiguous(dit_view *view)
{
    int64_t step = 1;
    for (int i = view->shape.rank - 1; i >= 0; i--) {
        view->stride[i] = step;
        step *= view->shape.dim[i];
    }
}

dit_view dit_view_of(const dit_array *array)
{
    dit_view view = {array->dtype, array->shape, {0}, array->data};
    dit_view_set_contiguous(&view);
    return view;
}

bool dit_view_is_contiguous(const dit_view *view)
{
    int64_t step = 1;
    for (int i = view->shape.rank - 1; i >= 0; i--) {
        if (view->shape.dim[i] != 1 && view->stride[i] != step)
            return false;
        step *= view->shape.dim[i];
    }
    return true;
}

float dit_f16_to_f32(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, exponent = (bits >> 10) & 31, fraction = bits & 0x3ff;
    union {
        uint32_t u;
        float f;
    } x;
    if (exponent == 0) { // zero or subnormal: fraction * 2^-24
        x.f = (float)fraction * 0x1p-24f;
        x.u |= sign;
    } else {
        x.u = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | fraction << 13;
    }
    return x.f;
}

uint16_t dit_f32_to_f16(float value)
{
    union {
        float f;
        uint32_t u;
    } x = {value};
    uint16_t sign = (uint16_t)(x.u >> 16 & 0x8000);
    uint32_t magnitude = x.u & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return sign | 0x7e00;
    if (magnitude >= 0x477ff000u) // rounds to infinity
        return sign | 0x7c00;
    if (magnitude < 0x38800000u) // subnormal: scale so that one unit is 2^-24, and round
        return sign | (uint16_t)lrintf(fabsf(value) * 0x1p24f);
    uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1);
    return sign | (uint16_t)((rounded >> 13) - (112u << 10));
}

float dit_f8_e4m3_to_f32(uint8_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x80) << 24, exponent = bits >> 3 & 15, fraction = bits & 7;
    union {
        uint32_t u;
        float f;
    } x;
    if (exponent == 0) // zero or subnormal: fraction * 2^-9
        x.f = (float)fraction * 0x1p-9f;
    else
        x.u = (bits & 0x7f) == 0x7f ? 0x7fc00000u : (exponent + 120) << 23 | fraction << 20;
    x.u |= sign;
    return x.f;
}

uint8_t dit_f32_to_f8_e4m3(float value)
{
    union {
        float f;
        uint32_t u;
    } x = {value};
    uint8_t sign = (uint8_t)(x.u >> 24 & 0x80);
    uint32_t magnitude = x.u & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return sign | 0x7f;
    if (magnitude > 0x43e00000u) // above 448
        return sign | 0x7e;
    if (magnitude < 0x3c800000u) // subnormal: scale so that one unit is 2^-9, and round
        return sign | (uint8_t)lrintf(fabsf(value) * 0x1p9f);
    uint32_t rounded = magnitude + 0x7ffffu + (magnitude >> 20 & 1);
    return sign | (uint8_t)((rounded >> 20) - (120u << 3));
}

float dit_f8_e5m2_to_f32(uint8_t bits)
{
    return dit_f16_to_f32((uint16_t)(bits << 8)); // the upper half of an f16
}

uint8_t dit_f32_to_f8_e5m2(float value)
{
    union {
        float f;
        uint32_t u;
    } x = {value};
    uint8_t sign = (uint8_t)(x.u >> 24 & 0x80);
    uint32_t magnitude = x.u & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return sign | 0x7f;
    if (magnitude >= 0x47700000u) // 61440, rounds to infinity
        return sign | 0x7c;
    if (magnitude < 0x38800000u) // subnormal: scale so that one unit is 2^-16, and round
        return sign | (uint8_t)lrintf(fabsf(value) * 0x1p16f);
    uint32_t rounded = magnitude + 0xfffffu + (magnitude >> 21 & 1);
    return sign | (uint8_t)((rounded >> 21) - (112u << 2));
}

static double element_of_block(dit_dtype dtype, const void *data, int64_t i)
{
    float values[DIT_K_BLOCK];
    int block = dit_dtype_block(dtype);
    dit_block_decode(dtype, (const uint8_t *)data + i / block * (int64_t)dit_dtype_size(dtype), values, block);
    return values[i % block];
}

double dit_element_get(dit_dtype dtype, const void *data, int64_t i)
{
    switch (dtype) {
    case DIT_F32:
        return ((const float *)data)[i];
    case DIT_F16:
        return dit_f16_to_f32(((const uint16_t *)data)[i]);
    case DIT_BF16:
        return dit_bf16_to_f32(((const uint16_t *)data)[i]);
    case DIT_I32:
        return ((const int32_t *)data)[i];
    case DIT_I64:
        return (double)((const int64_t *)data)[i];
    case DIT_F64:
        return ((const double *)data)[i];
    case DIT_F8_E4M3:
        return dit_f8_e4m3_to_f32(((const uint8_t *)data)[i]);
    case DIT_F8_E5M2:
        return dit_f8_e5m2_to_f32(((const uint8_t *)data)[i]);
    case DIT_U8:
    case DIT_BOOL:
        return ((const uint8_t *)data)[i];
    default:
        return element_of_block(dtype, data, i);
    }
}

void dit_element_set(dit_dtype dtype, void *data, int64_t i, double value)
{
    switch (dtype) {
    case DIT_F32:
        ((float *)data)[i] = (float)value;
        break;
    case DIT_F16:
        ((uint16_t *)data)[i] = dit_f32_to_f16((float)value);
        break;
    case DIT_BF16:
        ((uint16_t *)data)[i] = dit_f32_to_bf16((float)value);
        break;
    case DIT_I32:
        ((int32_t *)data)[i] = (int32_t)value;
        break;
    case DIT_I64:
        ((int64_t *)data)[i] = (int64_t)value;
        break;
    case DIT_F64:
        ((double *)data)[i] = value;
        break;
    case DIT_BOOL:
        ((uint8_t *)data)[i] = value != 0;
        break;
    case DIT_U8:
        ((uint8_t *)data)[i] = (uint8_t)value;
        break;
    case DIT_F8_E4M3:
        ((uint8_t *)data)[i] = dit_f32_to_f8_e4m3((float)value);
        break;
    case DIT_F8_E5M2:
        ((uint8_t *)data)[i] = dit_f32_to_f8_e5m2((float)value);
        break;
    default: // a block has no single elements
        break;
    }
}
