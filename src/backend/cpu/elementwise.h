// backend/cpu/elementwise.h: a formula becomes an element-wise kernel: loops for dense, repeated and strided operands,
// which compilers turn into vector code.
#ifndef DIT_BACKEND_CPU_ELEMENTWISE_H
#define DIT_BACKEND_CPU_ELEMENTWISE_H

#include "backend/cpu/isa.h"
#include "backend/cpu/nest.h"
#include "backend/cpu/vmath.h"

// What one element costs next to an addition, to decide about threads.
enum { DIT_CHEAP = 1, DIT_COSTLY = 4 };

static inline bool dit_is_half(dit_dtype dtype)
{
    return dtype == DIT_F16 || dtype == DIT_BF16;
}
enum { DIT_HALVES = 1u << DIT_F16 | 1u << DIT_BF16 };

// Runs a loop of floats over all elements, f16 and bf16 operands through f32.
void DIT_CPU_SYMBOL(dit_run_halves)(const dit_op_call *call, int cost, dit_row_loop loop);
static inline void dit_run_floats(const dit_op_call *call, int cost, dit_row_loop loop)
{
    bool halves = dit_is_half(call->out[0].dtype);
    for (int i = 0; i < call->inputs; i++)
        halves |= dit_is_half(call->in[i].dtype);
    if (halves)
        DIT_CPU_SYMBOL(dit_run_halves)(call, cost, loop);
    else
        dit_elementwise_run(call, cost, loop);
}

#define DIT_ELEMENT(T, row, k, i) (*(T *)((row)->at[k] + (i) * (row)->stride[k]))

#define DIT_ELEMENTWISE_KERNEL(NAME, IN_PLACE)                                                                         \
    DIT_KERNEL(NAME) = {.run = run, .layout = DIT_ANY_STRIDES, .native_floats = DIT_HALVES, .in_place = (IN_PLACE)}

// One loop for rows of y = formula(x); `a` is what `context` points at, as `const A *`.
#define DIT_UNARY_LOOP(NAME, A, formula)                                                                               \
    static void NAME(const dit_row *row, const void *context)                                                          \
    {                                                                                                                  \
        const A *a = context;                                                                                          \
        float *y = (float *)row->at[0];                                                                                \
        const float *dense = (const float *)row->at[1];                                                                \
        (void)a;                                                                                                       \
        if (row->stride[0] == sizeof(float) && row->stride[1] == sizeof(float)) {                                      \
            _Pragma("omp simd") for (int64_t i = 0; i < row->n; i++)                                                   \
            {                                                                                                          \
                float x = dense[i];                                                                                    \
                y[i] = (formula);                                                                                      \
            }                                                                                                          \
        } else {                                                                                                       \
            for (int64_t i = 0; i < row->n; i++) {                                                                     \
                float x = DIT_ELEMENT(const float, row, 1, i);                                                         \
                DIT_ELEMENT(float, row, 0, i) = (formula);                                                             \
            }                                                                                                          \
        }                                                                                                              \
    }

// One loop for rows of y = formula(a, b), y of type Y and a, b of type T.
#define DIT_BINARY_LOOP(NAME, Y, T, formula)                                                                           \
    static void NAME(const dit_row *row, const void *context)                                                          \
    {                                                                                                                  \
        Y *y = (Y *)row->at[0];                                                                                        \
        const T *as = (const T *)row->at[1], *bs = (const T *)row->at[2];                                              \
        bool dense_a = row->stride[1] == sizeof(T), dense_b = row->stride[2] == sizeof(T);                             \
        (void)context;                                                                                                 \
        if (row->stride[0] == sizeof(Y) && dense_a && dense_b) {                                                       \
            _Pragma("omp simd") for (int64_t i = 0; i < row->n; i++)                                                   \
            {                                                                                                          \
                T a = as[i], b = bs[i];                                                                                \
                y[i] = (Y)(formula);                                                                                   \
            }                                                                                                          \
        } else if (row->stride[0] == sizeof(Y) && dense_a && row->stride[2] == 0) {                                    \
            T b = *bs;                                                                                                 \
            _Pragma("omp simd") for (int64_t i = 0; i < row->n; i++)                                                   \
            {                                                                                                          \
                T a = as[i];                                                                                           \
                y[i] = (Y)(formula);                                                                                   \
            }                                                                                                          \
        } else if (row->stride[0] == sizeof(Y) && row->stride[1] == 0 && dense_b) {                                    \
            T a = *as;                                                                                                 \
            _Pragma("omp simd") for (int64_t i = 0; i < row->n; i++)                                                   \
            {                                                                                                          \
                T b = bs[i];                                                                                           \
                y[i] = (Y)(formula);                                                                                   \
            }                                                                                                          \
        } else {                                                                                                       \
            for (int64_t i = 0; i < row->n; i++) {                                                                     \
                T a = DIT_ELEMENT(const T, row, 1, i), b = DIT_ELEMENT(const T, row, 2, i);                            \
                DIT_ELEMENT(Y, row, 0, i) = (Y)(formula);                                                              \
            }                                                                                                          \
        }                                                                                                              \
    }

// The kernel of y = formula(x), for an op without attributes.
#define DIT_UNARY_KERNEL(NAME, cost, formula)                                                                          \
    DIT_UNARY_LOOP(loop, void, formula)                                                                                \
    static void run(const dit_op_call *call)                                                                           \
    {                                                                                                                  \
        dit_run_floats(call, cost, loop);                                                                              \
    }                                                                                                                  \
    DIT_ELEMENTWISE_KERNEL(NAME, 1);

// The kernel of y = formula(a, b) on floats.
#define DIT_BINARY_KERNEL(NAME, cost, formula)                                                                         \
    DIT_BINARY_LOOP(loop, float, float, formula)                                                                       \
    static void run(const dit_op_call *call)                                                                           \
    {                                                                                                                  \
        dit_run_floats(call, cost, loop);                                                                              \
    }                                                                                                                  \
    DIT_ELEMENTWISE_KERNEL(NAME, 3);

// The same on floats, i32 (type I32) and i64 (type I64). Unsigned types make integers wrap around.
#define DIT_ARITHMETIC_KERNEL(NAME, I32, I64, float_formula, integer_formula)                                          \
    DIT_BINARY_LOOP(loop_f32, float, float, float_formula)                                                             \
    DIT_BINARY_LOOP(loop_i32, I32, I32, integer_formula)                                                               \
    DIT_BINARY_LOOP(loop_i64, I64, I64, integer_formula)                                                               \
    static void run(const dit_op_call *call)                                                                           \
    {                                                                                                                  \
        if (call->in[0].dtype == DIT_I32 || call->in[0].dtype == DIT_I64)                                              \
            dit_elementwise_run(call, DIT_CHEAP, call->in[0].dtype == DIT_I32 ? loop_i32 : loop_i64);                  \
        else                                                                                                           \
            dit_run_floats(call, DIT_CHEAP, loop_f32);                                                                 \
    }                                                                                                                  \
    DIT_ELEMENTWISE_KERNEL(NAME, 3);

// A bool result from two floats, or from two of one integer type or two bools.
#define DIT_COMPARISON_KERNEL(NAME, formula)                                                                           \
    DIT_BINARY_LOOP(loop_f32, uint8_t, float, formula)                                                                 \
    DIT_BINARY_LOOP(loop_i32, uint8_t, int32_t, formula)                                                               \
    DIT_BINARY_LOOP(loop_i64, uint8_t, int64_t, formula)                                                               \
    DIT_BINARY_LOOP(loop_u8, uint8_t, uint8_t, formula)                                                                \
    static void run(const dit_op_call *call)                                                                           \
    {                                                                                                                  \
        static const dit_row_loop loops[DIT_DTYPES] = {                                                                \
            [DIT_I32] = loop_i32, [DIT_I64] = loop_i64, [DIT_U8] = loop_u8, [DIT_BOOL] = loop_u8};                     \
        dit_row_loop loop = loops[call->in[0].dtype];                                                                  \
        if (loop)                                                                                                      \
            dit_elementwise_run(call, DIT_CHEAP, loop);                                                                \
        else                                                                                                           \
            dit_run_floats(call, DIT_CHEAP, loop_f32);                                                                 \
    }                                                                                                                  \
    DIT_ELEMENTWISE_KERNEL(NAME, 3);

#endif
