// backend/cpu/kernels/norm_modulate.c: y = norm(x) * (1 + scale) + shift over the last axis, one pass over memory.
#include "backend/cpu/nest.h"
#include "backend/cpu/norm_row.h"

static void modulate(float *y, const float *x, dit_row_moments m, const float *scale, const float *shift, int64_t C)
{
#pragma omp simd
    for (int64_t i = 0; i < C; i++)
        y[i] = (x[i] - m.mean) * m.scale * (1.0f + scale[i]) + shift[i];
}

// The same for a scale or a shift of one element (step 0).
static void modulate_broadcast(float *y, const float *x, dit_row_moments m, const float *scale, int64_t scale_step,
                               const float *shift, int64_t shift_step, int64_t C)
{
    for (int64_t i = 0; i < C; i++)
        y[i] = (x[i] - m.mean) * m.scale * (1.0f + scale[i * scale_step]) + shift[i * shift_step];
}

// 1 where a row of `v` has an element for each of C, 0 where it has a single one.
static int64_t step_of(const dit_view *v, int64_t C)
{
    return v->shape.rank > 0 && v->shape.dim[v->shape.rank - 1] == C;
}

static void rows(const dit_row *row, const void *context)
{
    const dit_op_call *call = context;
    const struct dit_norm_modulate_attributes *a = call->attributes;
    int64_t C = call->in[0].shape.dim[call->in[0].shape.rank - 1];
    int64_t scale_step = step_of(&call->in[1], C), shift_step = step_of(&call->in[2], C);
    for (int64_t r = 0; r < row->n; r++) {
        float *y = (float *)(void *)(row->at[0] + r * row->stride[0]);
        const float *x = (const float *)(void *)(row->at[1] + r * row->stride[1]);
        const float *scale = (const float *)(void *)(row->at[2] + r * row->stride[2]);
        const float *shift = (const float *)(void *)(row->at[3] + r * row->stride[3]);
        dit_row_moments m = a->rms ? dit_rms_moments(x, C, a->eps) : dit_layer_moments(x, C, a->eps);
        if (scale_step && shift_step)
            modulate(y, x, m, scale, shift, C);
        else
            modulate_broadcast(y, x, m, scale, scale_step, shift, shift_step, C);
    }
}

static void run(const dit_op_call *call)
{
    const dit_view *operand[] = {&call->out[0], &call->in[0], &call->in[1], &call->in[2]};
    dit_nest nest = dit_nest_of_rows(operand, 4);
    dit_nest_run(&nest, call->in[0].shape.dim[call->in[0].shape.rank - 1], rows, call);
}

DIT_KERNEL(norm_modulate) = {.run = run, .layout = DIT_ROWS, .in_place = 1};
