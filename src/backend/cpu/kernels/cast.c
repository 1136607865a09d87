// backend/cpu/kernels/cast.c: x in the dtype of y, every pair of dtypes, rules as in graph/ops/cast.c.
//
// f32, i32, i64, u8 and bool have a loop a pair. f16 and bf16 go through f32 in runs that fit into the first cache. A
// quantised weight, which a plan casts for kernels that do not decode, is decoded row by row into f32.
#include "backend/cpu/decode.h"
#include "backend/cpu/elementwise.h"
#include "backend/cpu/half.h"

enum { RUN = 512 }; // elements

static inline int32_t f32_to_i32(float x)
{
    float below = x < 0x1p31f ? x : 0x1.fffffep30f;
    float inside = below >= -0x1p31f ? below : -0x1p31f; // NaN has gone to the largest float
    int32_t y = (int32_t)inside;
    return x != x ? 0 : x >= 0x1p31f ? INT32_MAX : y;
}

static inline int64_t f32_to_i64(float x)
{
    float below = x < 0x1p63f ? x : 0x1.fffffep62f;
    float inside = below >= -0x1p63f ? below : -0x1p63f;
    int64_t y = (int64_t)inside;
    return x != x ? 0 : x >= 0x1p63f ? INT64_MAX : y;
}

static inline uint8_t f32_to_u8(float x)
{
    float below = x < 255.0f ? x : 255.0f;
    float inside = below > 0.0f ? below : 0.0f;
    int32_t y = (int32_t)inside;
    return (uint8_t)(x != x ? 0 : y);
}

// cast_FROM_TO: elements of type X (called x) into elements of type Y.
#define CAST(NAME, Y, X, formula)                                                                                      \
    static void NAME(const dit_row *row, const void *context)                                                          \
    {                                                                                                                  \
        Y *y = (Y *)row->at[0];                                                                                        \
        const X *dense = (const X *)row->at[1];                                                                        \
        (void)context;                                                                                                 \
        if (row->stride[0] == sizeof(Y) && row->stride[1] == sizeof(X)) {                                              \
            _Pragma("omp simd") for (int64_t i = 0; i < row->n; i++)                                                   \
            {                                                                                                          \
                X x = dense[i];                                                                                        \
                y[i] = (Y)(formula);                                                                                   \
            }                                                                                                          \
        } else {                                                                                                       \
            for (int64_t i = 0; i < row->n; i++) {                                                                     \
                X x = DIT_ELEMENT(const X, row, 1, i);                                                                 \
                DIT_ELEMENT(Y, row, 0, i) = (Y)(formula);                                                              \
            }                                                                                                          \
        }                                                                                                              \
    }

CAST(f32_f32, float, float, x)
CAST(f32_i32, int32_t, float, f32_to_i32(x))
CAST(f32_i64, int64_t, float, f32_to_i64(x))
CAST(f32_u8, uint8_t, float, f32_to_u8(x))
CAST(f32_bool, uint8_t, float, x != 0.0f)
CAST(i32_f32, float, int32_t, x)
CAST(i32_i32, int32_t, int32_t, x)
CAST(i32_i64, int64_t, int32_t, x)
CAST(i32_u8, uint8_t, int32_t, (uint32_t)x & 0xffu)
CAST(i32_bool, uint8_t, int32_t, x != 0)
CAST(i64_f32, float, int64_t, x)
CAST(i64_i32, int32_t, int64_t, (uint32_t)(uint64_t)x)
CAST(i64_i64, int64_t, int64_t, x)
CAST(i64_u8, uint8_t, int64_t, (uint64_t)x & 0xffu)
CAST(i64_bool, uint8_t, int64_t, x != 0)
CAST(u8_f32, float, uint8_t, x)
CAST(u8_i32, int32_t, uint8_t, x)
CAST(u8_i64, int64_t, uint8_t, x)
CAST(u8_u8, uint8_t, uint8_t, x)
CAST(u8_bool, uint8_t, uint8_t, x != 0)
CAST(bool_f32, float, uint8_t, x ? 1.0f : 0.0f)
CAST(bool_i32, int32_t, uint8_t, x != 0)
CAST(bool_i64, int64_t, uint8_t, x != 0)

#define LOOPS(FROM)                                                                                                    \
    {                                                                                                                  \
        [DIT_F32] = FROM##_f32, [DIT_I32] = FROM##_i32, [DIT_I64] = FROM##_i64, [DIT_U8] = FROM##_u8,                  \
        [DIT_BOOL] = FROM##_bool                                                                                       \
    }
#define bool_u8 u8_bool // 0 and 1 are the same in both
#define bool_bool u8_bool
// By source and target; f16 and bf16 have none.
static const dit_row_loop loops[DIT_DTYPES][DIT_DTYPES] = {
    [DIT_F32] = LOOPS(f32), [DIT_I32] = LOOPS(i32),   [DIT_I64] = LOOPS(i64),
    [DIT_U8] = LOOPS(u8),   [DIT_BOOL] = LOOPS(bool),
};

// Widens `n` elements of dtype `from` into `run`; `gathered` has room for as many.
static void run_in_f32(dit_dtype from, const char *x, int64_t stride, int64_t n, float *run, uint16_t *gathered)
{
    if (!dit_is_half(from)) {
        dit_row row = {n, {(char *)run, (char *)(uintptr_t)x}, {sizeof(float), stride}};
        loops[from][DIT_F32](&row, NULL);
        return;
    }
    const uint16_t *halves = (const uint16_t *)(const void *)x;
    if (stride != sizeof(uint16_t)) {
        for (int64_t i = 0; i < n; i++)
            gathered[i] = *(const uint16_t *)(const void *)(x + i * stride);
        halves = gathered;
    }
    dit_widen(from, run, halves, n);
}

static void put_run(dit_dtype to, char *y, int64_t stride, int64_t n, const float *run, uint16_t *rounded)
{
    if (!dit_is_half(to)) {
        dit_row row = {n, {y, (char *)(uintptr_t)run}, {stride, sizeof(float)}};
        loops[DIT_F32][to](&row, NULL);
    } else if (stride == sizeof(uint16_t)) {
        dit_round(to, (uint16_t *)(void *)y, run, n);
    } else {
        dit_round(to, rounded, run, n);
        for (int64_t i = 0; i < n; i++)
            *(uint16_t *)(void *)(y + i * stride) = rounded[i];
    }
}

// Where f16 or bf16 is on either side. Dense f32 on the other side is read or written in place.
static void half_loop(const dit_row *row, const void *context)
{
    const dit_op_call *call = context;
    dit_dtype from = call->in[0].dtype, to = call->out[0].dtype;
    float run[RUN];
    uint16_t halves[RUN];
    for (int64_t i = 0; i < row->n; i += RUN) {
        int64_t n = row->n - i < RUN ? row->n - i : RUN;
        char *y = row->at[0] + i * row->stride[0];
        const char *x = row->at[1] + i * row->stride[1];
        const float *wide = run;
        if (from == DIT_F32 && row->stride[1] == sizeof(float)) {
            wide = (const float *)(const void *)x;
        } else if (to == DIT_F32 && row->stride[0] == sizeof(float)) {
            run_in_f32(from, x, row->stride[1], n, (float *)(void *)y, halves);
            continue;
        } else {
            run_in_f32(from, x, row->stride[1], n, run, halves);
        }
        put_run(to, y, row->stride[0], n, wide, halves);
    }
}

// x is dense: a weight as it is stored.
static void decode(const dit_op_call *call)
{
    const dit_view *x = &call->in[0];
    int64_t row = x->shape.rank ? x->shape.dim[x->shape.rank - 1] : 1;
    int64_t count = dit_shape_count(&x->shape), rows = row ? count / row : 0, bytes = dit_row_bytes(x->dtype, row);
    float *y = call->out[0].data;
#pragma omp parallel for schedule(static) if (count >= DIT_PARALLEL_WORK)
    for (int64_t i = 0; i < rows; i++)
        dit_decode(x->dtype, (const char *)x->data + i * bytes, 0, row, y + i * row);
}

static void run(const dit_op_call *call)
{
    dit_dtype from = call->in[0].dtype, to = call->out[0].dtype;
    if (dit_dtype_is_quantized(from)) {
        decode(call);
        return;
    }
    const dit_view *operand[] = {&call->out[0], &call->in[0]};
    dit_nest nest = dit_nest_of(&call->out[0].shape, operand, 2, true);
    if (dit_is_half(from) || dit_is_half(to))
        dit_nest_run(&nest, DIT_CHEAP, half_loop, call);
    else
        dit_nest_run(&nest, DIT_CHEAP, loops[from][to], NULL);
}

DIT_KERNEL(cast) = {
    .run = run,
    .layout = DIT_ANY_STRIDES,
    .native_floats = DIT_HALVES | DIT_QUANTIZED,
    .in_place = 1,
};
