// backend/cpu/kernels/linear.c: y = residual + gate * activation(x weight^T + bias).
#include "backend/cpu/decode.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/half.h"

enum { X, WEIGHT, BIAS, GATE, RESIDUAL };

// Rows up to here read the weight as it is stored: rearranged, it would be no faster (dots.c).
enum { FEW_ROWS = 16 };

// A call as one product for each index of its outer axes: the innermost leading axes that every operand steps through
// evenly are the rows of the product, the others are outer.
struct plan {
    dit_gemm product; // of the first outer index
    int64_t count;
    int axes;
    int64_t extent[DIT_MAX_RANK];
    int64_t x[DIT_MAX_RANK], y[DIT_MAX_RANK], gate[DIT_MAX_RANK], residual[DIT_MAX_RANK]; // steps of the outer axes
};

static const dit_view *optional(const dit_op_call *call, int i)
{
    return i < call->inputs && !dit_is_absent(&call->in[i]) ? &call->in[i] : NULL;
}

// The stride of `v`, broadcast to rank `rank`, along `axis`; 0 for an absent one.
static int64_t stride_of(const dit_view *v, int rank, int axis)
{
    int own = v ? axis - (rank - v->shape.rank) : -1;
    return own < 0 || v->shape.dim[own] == 1 ? 0 : v->stride[own];
}

// Whether an axis whose step is `stride` goes on from `m` rows that are `row` apart. A single row may be any step
// apart.
static bool continues(int64_t *row, int64_t m, int64_t stride)
{
    if (m == 1)
        *row = stride;
    return stride == *row * m;
}

// Likewise for the gate, which is constant over `gate_rows` rows at a time.
static bool gate_continues(dit_gemm *g, int64_t extent, int64_t stride)
{
    if (g->gate_rows == g->m && stride == 0) {
        g->gate_rows *= extent;
        return true;
    }
    if (g->gate_rows == g->m)
        g->gate_row = stride;
    return stride == g->gate_row * (g->m / g->gate_rows);
}

static struct plan plan_of(const dit_op_call *call)
{
    const struct dit_linear_attributes *attributes = call->attributes;
    const dit_view *x = &call->in[X], *weight = &call->in[WEIGHT], *y = &call->out[0];
    const dit_view *bias = optional(call, BIAS), *gate = optional(call, GATE), *residual = optional(call, RESIDUAL);
    int last = y->shape.rank - 1, rank = last + 1;
    struct plan plan = {.count = 1,
                        .product = {
                            .m = 1,
                            .n = weight->shape.dim[0],
                            .k = weight->shape.dim[1],
                            .a = x->data,
                            .a_k = 1,
                            .b_dtype = weight->dtype,
                            .b = weight->data,
                            .b_row = 1,
                            .b_col = weight->stride[0],
                            .b_panels = call->prepared,
                            .c = y->data,
                            .c_row = weight->shape.dim[0],
                            .bias = bias ? bias->data : NULL,
                            .activation = attributes->activation,
                            .gate = gate ? gate->data : NULL,
                            .gate_rows = 1,
                            .residual = residual ? residual->data : NULL,
                        }};
    dit_gemm *g = &plan.product;
    if (x->dtype == DIT_BF16) {
        g->a_bf16 = x->data;
        g->c_bf16 = y->data;
        g->a = NULL;
        g->c = NULL;
    }
    bool together = true;
    int64_t y_step = g->c_row;
    for (int axis = last - 1; axis >= 0; axis--) {
        int64_t extent = y->shape.dim[axis];
        if (extent == 1)
            continue;
        int64_t x_stride = stride_of(x, rank, axis), gate_stride = stride_of(gate, rank, axis),
                residual_stride = stride_of(residual, rank, axis);
        together = together && continues(&g->a_row, g->m, x_stride) &&
                   continues(&g->residual_row, g->m, residual_stride) && gate_continues(g, extent, gate_stride);
        if (together) {
            g->m *= extent;
        } else {
            int i = plan.axes++;
            plan.extent[i] = extent;
            plan.x[i] = x_stride;
            plan.y[i] = y_step;
            plan.gate[i] = gate_stride;
            plan.residual[i] = residual_stride;
            plan.count *= extent;
        }
        y_step *= extent;
    }
    return plan;
}

static void at(const void *context, int64_t i, dit_gemm *g)
{
    const struct plan *plan = context;
    for (int axis = 0; axis < plan->axes; axis++) {
        int64_t index = i % plan->extent[axis];
        i /= plan->extent[axis];
        if (g->a_bf16) {
            g->a_bf16 += index * plan->x[axis];
            g->c_bf16 += index * plan->y[axis];
        } else {
            g->a += index * plan->x[axis];
            g->c += index * plan->y[axis];
        }
        if (g->gate)
            g->gate += index * plan->gate[axis];
        if (g->residual)
            g->residual += index * plan->residual[axis];
    }
}

// Bytes in front of the product's workspace: room for a bias in bf16, widened.
static size_t bias_bytes(const dit_op_call *call)
{
    const dit_view *bias = optional(call, BIAS);
    return bias && bias->dtype == DIT_BF16 ? ((size_t)bias->shape.dim[0] * sizeof(float) + 63) / 64 * 64 : 0;
}

static void run(const dit_op_call *call)
{
    struct plan plan = plan_of(call);
    size_t bytes = bias_bytes(call);
    if (bytes) {
        dit_widen_bf16(call->workspace, call->in[BIAS].data, plan.product.n);
        plan.product.bias = call->workspace;
    }
    dit_gemm_run(&plan.product, plan.count, plan.axes ? at : NULL, &plan, (char *)call->workspace + bytes);
}

static size_t workspace(const dit_op_call *call)
{
    struct plan plan = plan_of(call);
    // Data is not there yet; whether an operand will be is what counts.
    static const float here;
    static uint16_t half_here;
    if (call->in[X].dtype == DIT_BF16) {
        plan.product.a_bf16 = plan.product.c_bf16 = &half_here;
    }
    plan.product.residual = optional(call, RESIDUAL) ? &here : NULL;
    plan.product.b_panels = NULL;
    size_t as_stored = dit_gemm_workspace(&plan.product);
    plan.product.b_panels = &here;
    size_t prepared = dit_gemm_workspace(&plan.product);
    return bias_bytes(call) + (as_stored > prepared ? as_stored : prepared);
}

static size_t prepared_size(const dit_op_call *call)
{
    struct plan plan = plan_of(call);
    if (dit_dtype_is_quantized(plan.product.b_dtype)) // decoding costs little beside many rows, floats much memory
        return 0;
    return plan.product.m * plan.count > FEW_ROWS ? dit_gemm_prepared_bytes(&plan.product) : 0;
}

static void prepare(const dit_op_call *call, void *prepared)
{
    struct plan plan = plan_of(call);
    dit_gemm_prepare(&plan.product, prepared);
}

DIT_KERNEL(linear) = {
    .run = run,
    .workspace = workspace,
    .prepared_size = prepared_size,
    .prepare = prepare,
    .layout = DIT_ROWS,
    .native_floats = 1u << DIT_F32 | 1u << DIT_BF16, // what fusion adds, a gate or a residual, is f32 with f32
    .native_weight = 1u << DIT_F32 | 1u << DIT_F16 | 1u << DIT_BF16 | DIT_QUANTIZED,
    .in_place = 1u << RESIDUAL,
};
