// backend/cpu/kernels/grouped_linear_backward_weight.c: dy^T x over as many rows as the group turns out to have.
#include "backend/cpu/gemm.h"
#include "backend/cpu/group_rows.h"
#include <string.h>

enum { DY, X, GROUPS };

// The product over all rows.
static dit_gemm product_of(const dit_op_call *call)
{
    const dit_view *dy = &call->in[DY], *x = &call->in[X];
    return (dit_gemm){
        .m = dy->shape.dim[1],
        .n = x->shape.dim[1],
        .k = x->shape.dim[0],
        .a = dy->data,
        .a_row = dy->stride[1],
        .a_k = dy->stride[0],
        .b_dtype = x->dtype,
        .b = x->data,
        .b_row = x->stride[0],
        .b_col = x->stride[1],
        .c = call->out[0].data,
        .c_row = x->shape.dim[1],
    };
}

static void run(const dit_op_call *call)
{
    const struct dit_grouped_linear_backward_weight_attributes *a = call->attributes;
    int64_t first = dit_rows_below(&call->in[GROUPS], a->group), end = dit_rows_below(&call->in[GROUPS], a->group + 1);
    dit_gemm product = product_of(call);
    if (end <= first) {
        memset(call->out[0].data, 0, (size_t)dit_shape_count(&call->out[0].shape) * sizeof(float));
        return;
    }
    product.k = end - first;
    product.a += first * product.a_k;
    product.b = (const float *)product.b + first * product.b_row;
    dit_gemm_run(&product, 1, NULL, NULL, call->workspace);
}

// Sums of fewer rows can be cut into longer passes: the most that any number of rows takes.
static size_t workspace(const dit_op_call *call)
{
    dit_gemm product = product_of(call);
    size_t most = 0;
    for (int64_t rows = product.k; rows > 0; rows--) {
        product.k = rows;
        size_t bytes = dit_gemm_workspace(&product);
        most = bytes > most ? bytes : most;
    }
    return most;
}

DIT_KERNEL(grouped_linear_backward_weight) = {
    .run = run,
    .workspace = workspace,
    .layout = DIT_ANY_STRIDES,
    .native_floats = 1u << DIT_F32,
};
