// backend/cpu/kernels/grouped_linear.c: one product for as many rows as the group turns out to have.
#include "backend/cpu/decode.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/group_rows.h"
#include "backend/cpu/nest.h"
#include <string.h>

enum { X, WEIGHT, GROUPS, OTHERS };
enum { FEW_ROWS = 16 }; // up to here a weight is read as it is stored (dots.c)

// The product over all rows, the most that a group can have.
static dit_gemm product_of(const dit_op_call *call)
{
    const dit_view *x = &call->in[X], *weight = &call->in[WEIGHT], *y = &call->out[0];
    bool half = x->dtype == DIT_BF16;
    return (dit_gemm){
        .m = x->shape.dim[0],
        .n = weight->shape.dim[0],
        .k = weight->shape.dim[1],
        .a = half ? NULL : x->data,
        .a_bf16 = half ? x->data : NULL,
        .a_row = x->stride[0],
        .a_k = x->stride[1],
        .b_dtype = weight->dtype,
        .b = weight->data,
        .b_row = weight->stride[1],
        .b_col = weight->stride[0],
        .b_panels = call->prepared,
        .c = half ? NULL : y->data,
        .c_bf16 = half ? y->data : NULL,
        .c_row = weight->shape.dim[0],
    };
}

// Fills rows r0 to r1 of y with those of `others`, which may be y's own memory, or with zeros.
static void fill_others(const dit_op_call *call, int64_t r0, int64_t r1)
{
    const dit_view *others = call->inputs > OTHERS && !dit_is_absent(&call->in[OTHERS]) ? &call->in[OTHERS] : NULL;
    int64_t N = call->out[0].shape.dim[1];
    size_t size = dit_dtype_size(call->out[0].dtype);
    char *y = call->out[0].data;
    if (others && others->data == call->out[0].data)
        return;
#pragma omp parallel for schedule(static) if ((r1 - r0) * N >= DIT_PARALLEL_WORK)
    for (int64_t r = r0; r < r1; r++) {
        char *to = y + (size_t)(r * N) * size;
        if (!others)
            memset(to, 0, (size_t)N * size);
        for (int64_t n = 0; others && n < N; n++)
            memcpy(to + (size_t)n * size,
                   (const char *)others->data + (r * others->stride[0] + n * others->stride[1]) * (int64_t)size, size);
    }
}

static void run(const dit_op_call *call)
{
    const struct dit_grouped_linear_attributes *a = call->attributes;
    int64_t first = dit_rows_below(&call->in[GROUPS], a->group), end = dit_rows_below(&call->in[GROUPS], a->group + 1);
    dit_gemm product = product_of(call);
    fill_others(call, 0, first);
    fill_others(call, end, product.m);
    product.m = end > first ? end - first : 0;
    if (product.a_bf16) {
        product.a_bf16 += first * product.a_row;
        product.c_bf16 += first * product.c_row;
    } else {
        product.a += first * product.a_row;
        product.c += first * product.c_row;
    }
    dit_gemm_run(&product, 1, NULL, NULL, call->workspace);
}

// Few rows are cut otherwise than many: the most that any number of rows takes, the weight as it is stored or prepared.
static size_t workspace(const dit_op_call *call)
{
    static const float here; // data is not there yet; whether it will be is what counts
    static uint16_t half_here;
    dit_gemm product = product_of(call);
    if (call->in[X].dtype == DIT_BF16)
        product.a_bf16 = product.c_bf16 = &half_here;
    const int64_t rows[] = {product.m, product.m < FEW_ROWS ? product.m : FEW_ROWS};
    size_t most = 0;
    for (int i = 0; i < 4; i++) {
        product.m = rows[i / 2];
        product.b_panels = i % 2 ? &here : NULL;
        size_t bytes = dit_gemm_workspace(&product);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static size_t prepared_size(const dit_op_call *call)
{
    const struct dit_grouped_linear_attributes *a = call->attributes;
    dit_gemm product = product_of(call);
    if (dit_dtype_is_quantized(product.b_dtype)) // as for linear
        return 0;
    return product.m / a->count > FEW_ROWS ? dit_gemm_prepared_bytes(&product) : 0;
}

static void prepare(const dit_op_call *call, void *prepared)
{
    dit_gemm product = product_of(call);
    dit_gemm_prepare(&product, prepared);
}

DIT_KERNEL(grouped_linear) = {
    .run = run,
    .workspace = workspace,
    .prepared_size = prepared_size,
    .prepare = prepare,
    .layout = DIT_ANY_STRIDES,
    .native_floats = 1u << DIT_F32 | 1u << DIT_BF16,
    .native_weight = 1u << DIT_F32 | 1u << DIT_F16 | 1u << DIT_BF16 | DIT_QUANTIZED,
    .in_place = 1u << OTHERS,
};
