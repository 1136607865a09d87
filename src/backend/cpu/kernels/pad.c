// backend/cpu/kernels/pad.c: x moves to the middle of y; then the borders are made, axis by axis, from what is there.
#include "backend/cpu/move.h"

// The part of one axis that mirrors or repeats: `extent` indices from `start` on come from `from`, `from + step`, ...
static void copy_border(dit_view y, int axis, int64_t start, int64_t extent, int64_t from, int64_t step)
{
    if (extent == 0)
        return;
    dit_view source = dit_part(y, axis, from, extent);
    source.stride[axis] *= step;
    dit_move(dit_part(y, axis, start, extent), source);
}

static void run(const dit_op_call *call)
{
    const struct dit_pad_attributes *a = call->attributes;
    const dit_view *x = &call->in[0];
    dit_view y = call->out[0];
    for (int i = 0; i < y.shape.rank; i++)
        y = dit_part(y, i, a->before[i], x->shape.dim[i]);
    dit_move(y, *x);
    for (int i = 0; i < y.shape.rank; i++) { // y grows to its full extent along one axis after the other
        int64_t before = a->before[i], after = a->after[i], extent = x->shape.dim[i], end = before + extent;
        y = dit_part(y, i, -before, before + extent + after);
        if (a->mode == DIT_PAD_VALUE) {
            dit_fill(dit_part(y, i, 0, before), (double)a->value);
            dit_fill(dit_part(y, i, end, after), (double)a->value);
        } else if (a->mode == DIT_PAD_REPLICATE) {
            copy_border(y, i, 0, before, before, 0);
            copy_border(y, i, end, after, end - 1, 0);
        } else {
            copy_border(y, i, 0, before, 2 * before, -1);
            copy_border(y, i, end, after, end - 2, -1);
        }
    }
}

DIT_KERNEL(pad) = {.run = run, .layout = DIT_ANY_STRIDES, .any_dtype = true};
