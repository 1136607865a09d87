// backend/cpu/kernels/where.c: y = condition ? a : b, for elements of one, four or eight bytes; f16 and bf16 as f32.
#include "backend/cpu/elementwise.h"

#define WHERE_LOOP(NAME, T)                                                                                            \
    static void NAME(const dit_row *row, const void *context)                                                          \
    {                                                                                                                  \
        T *y = (T *)row->at[0];                                                                                        \
        const uint8_t *c = (const uint8_t *)row->at[1];                                                                \
        const T *a = (const T *)row->at[2], *b = (const T *)row->at[3];                                                \
        bool dense = row->stride[0] == sizeof(T) && row->stride[1] == 1;                                               \
        (void)context;                                                                                                 \
        if (dense && row->stride[2] == sizeof(T) && row->stride[3] == sizeof(T)) {                                     \
            _Pragma("omp simd") for (int64_t i = 0; i < row->n; i++) y[i] = c[i] ? a[i] : b[i];                        \
        } else if (dense && row->stride[2] == sizeof(T) && row->stride[3] == 0) {                                      \
            const T other = *b;                                                                                        \
            _Pragma("omp simd") for (int64_t i = 0; i < row->n; i++) y[i] = c[i] ? a[i] : other;                       \
        } else if (dense && row->stride[2] == 0 && row->stride[3] == sizeof(T)) {                                      \
            const T other = *a;                                                                                        \
            _Pragma("omp simd") for (int64_t i = 0; i < row->n; i++) y[i] = c[i] ? other : b[i];                       \
        } else {                                                                                                       \
            for (int64_t i = 0; i < row->n; i++)                                                                       \
                DIT_ELEMENT(T, row, 0, i) = DIT_ELEMENT(const uint8_t, row, 1, i) ? DIT_ELEMENT(const T, row, 2, i)    \
                                                                                  : DIT_ELEMENT(const T, row, 3, i);   \
        }                                                                                                              \
    }

WHERE_LOOP(loop_1, uint8_t)
WHERE_LOOP(loop_4, uint32_t)
WHERE_LOOP(loop_8, uint64_t)

static void run(const dit_op_call *call)
{
    size_t size = dit_dtype_size(call->out[0].dtype);
    if (dit_dtype_is_float(call->out[0].dtype))
        dit_run_floats(call, DIT_CHEAP, loop_4);
    else
        dit_elementwise_run(call, DIT_CHEAP, size == 1 ? loop_1 : size == 4 ? loop_4 : loop_8);
}

DIT_ELEMENTWISE_KERNEL(where, 7);
