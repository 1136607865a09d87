// backend/cpu/kernels/pad_backward.c: the borders of a copy of dy are added to where pad took them from, axis by axis
// in the reverse of pad's order; what is left in the middle is dx. Padding by a value only cuts the middle out.
#include "backend/cpu/move.h"

static size_t workspace(const dit_op_call *call)
{
    const struct dit_pad_backward_attributes *a = call->attributes;
    return a->mode == DIT_PAD_VALUE ? 0 : (size_t)dit_shape_count(&call->in[0].shape) * sizeof(float);
}

static void add_row(const dit_row *row, const void *context)
{
    (void)context;
    float *to = (float *)row->at[0];
    const float *from = (const float *)row->at[1];
    int64_t step = row->stride[0] / (int64_t)sizeof(float); // the same for both: they lie in one array
    if (step == 1)
#pragma omp simd
        for (int64_t i = 0; i < row->n; i++)
            to[i] += from[i];
    else
        for (int64_t i = 0; i < row->n; i++)
            to[i * step] += from[i * step];
}

// Index `to` of an axis += index `from`.
static void fold(dit_view dy, int axis, int64_t to, int64_t from)
{
    dit_view target = dit_part(dy, axis, to, 1), source = dit_part(dy, axis, from, 1);
    dit_nest nest = dit_nest_of(&target.shape, (const dit_view *const[]){&target, &source}, 2, true);
    dit_nest_run(&nest, 1, add_row, NULL);
}

static void run(const dit_op_call *call)
{
    const struct dit_pad_backward_attributes *a = call->attributes;
    const dit_shape *x = &call->out[0].shape;
    dit_view dy = call->in[0];
    if (a->mode != DIT_PAD_VALUE) {
        dit_view copy = dy;
        copy.data = call->workspace;
        dit_view_set_contiguous(&copy);
        dit_move(copy, dy);
        dy = copy;
    }
    for (int i = x->rank - 1; i >= 0; i--) {
        int64_t before = a->before[i], end = before + x->dim[i];
        bool mirrored = a->mode == DIT_PAD_REFLECT;
        for (int64_t j = 0; j < before && a->mode != DIT_PAD_VALUE; j++)
            fold(dy, i, mirrored ? 2 * before - j : before, j);
        for (int64_t j = 0; j < a->after[i] && a->mode != DIT_PAD_VALUE; j++)
            fold(dy, i, mirrored ? end - 2 - j : end - 1, end + j);
        dy = dit_part(dy, i, before, x->dim[i]);
    }
    dit_move(call->out[0], dy);
}

DIT_KERNEL(pad_backward) = {.run = run, .workspace = workspace, .layout = DIT_ANY_STRIDES};
