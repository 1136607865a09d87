// backend/cpu/kernels/matmul.c: y = a b over the last two axes; leading axes broadcast.
#include "backend/cpu/decode.h"
#include "backend/cpu/gemm.h"

// A call as one product for each index of its outer axes.
struct plan {
    dit_gemm product; // of the first outer index
    int64_t count;
    int axes;
    int64_t extent[DIT_MAX_RANK], a[DIT_MAX_RANK], b[DIT_MAX_RANK], y[DIT_MAX_RANK]; // steps, b's in bytes
};

static int64_t leading_stride(const dit_view *v, int rank, int axis)
{
    int own = axis - (rank - v->shape.rank);
    return own < 0 || v->shape.dim[own] == 1 ? 0 : v->stride[own];
}

// A matrix times a vector, seen as the vector times the matrix transposed: the tile's width then runs over many
// outputs.
static void swap_vector(dit_gemm *g)
{
    dit_gemm s = *g;
    g->m = 1;
    g->n = s.m;
    g->a = s.b;
    g->a_k = s.b_row;
    g->b = s.a;
    g->b_row = s.a_k;
    g->b_col = s.a_row;
}

static struct plan plan_of(const dit_op_call *call)
{
    const dit_view *a = &call->in[0], *b = &call->in[1], *y = &call->out[0];
    int rank = y->shape.rank, ra = a->shape.rank, rb = b->shape.rank;
    struct plan plan = {.count = 1,
                        .product = {
                            .m = a->shape.dim[ra - 2],
                            .n = b->shape.dim[rb - 1],
                            .k = a->shape.dim[ra - 1],
                            .a = a->data,
                            .a_row = a->stride[ra - 2],
                            .a_k = a->stride[ra - 1],
                            .b_dtype = b->dtype,
                            .b = b->data,
                            .b_row = b->stride[rb - 2],
                            .b_col = b->stride[rb - 1],
                            .c = y->data,
                            .c_row = b->shape.dim[rb - 1],
                        }};
    dit_gemm *g = &plan.product;
    int64_t y_step = g->m * g->n, size = (int64_t)dit_dtype_size(b->dtype);
    for (int axis = rank - 3; axis >= 0; axis--) {
        int64_t extent = y->shape.dim[axis], a_stride = leading_stride(a, rank, axis),
                b_stride = leading_stride(b, rank, axis);
        if (extent == 1)
            continue;
        // One b for all: the matrices of a follow each other as the rows of a taller one.
        if (plan.axes == 0 && b_stride == 0 && (a_stride == g->m * g->a_row || g->m == 1)) {
            if (g->m == 1)
                g->a_row = a_stride;
            g->m *= extent;
        } else {
            int i = plan.axes++;
            plan.extent[i] = extent;
            plan.a[i] = a_stride;
            plan.b[i] = b_stride * size;
            plan.y[i] = y_step;
            plan.count *= extent;
        }
        y_step *= extent;
    }
    if (g->n == 1 && g->m > 1 && plan.axes == 0 && b->dtype == DIT_F32)
        swap_vector(g);
    return plan;
}

static void at(const void *context, int64_t i, dit_gemm *g)
{
    const struct plan *plan = context;
    for (int axis = 0; axis < plan->axes; axis++) {
        int64_t index = i % plan->extent[axis];
        i /= plan->extent[axis];
        g->a += index * plan->a[axis];
        g->b = (const char *)g->b + index * plan->b[axis];
        g->c += index * plan->y[axis];
    }
}

static void run(const dit_op_call *call)
{
    struct plan plan = plan_of(call);
    dit_gemm_run(&plan.product, plan.count, plan.axes ? at : NULL, &plan, call->workspace);
}

static size_t workspace(const dit_op_call *call)
{
    struct plan plan = plan_of(call);
    return dit_gemm_workspace(&plan.product);
}

DIT_KERNEL(matmul) = {
    .run = run,
    .workspace = workspace,
    .layout = DIT_ANY_STRIDES,
    .native_floats = 1u << DIT_F32,
    .native_weight = 1u << DIT_F32 | 1u << DIT_F16 | 1u << DIT_BF16 | DIT_QUANTIZED,
};
