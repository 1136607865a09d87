// backend/cpu/kernels/slice_backward.c: dy moves to its place in zeros.
#include "backend/cpu/move.h"

static void run(const dit_op_call *call)
{
    const struct dit_slice_backward_attributes *a = call->attributes;
    const dit_view *dy = &call->in[0], *dx = &call->out[0];
    int64_t extent = dy->shape.dim[a->axis], end = a->start + extent;
    if (a->step == 1) { // what dy fills needs no zeros first
        dit_fill(dit_part(*dx, a->axis, 0, a->start), 0);
        dit_fill(dit_part(*dx, a->axis, end, a->whole - end), 0);
    } else {
        dit_fill(*dx, 0);
    }
    dit_view place = dit_part(*dx, a->axis, extent ? a->start : 0, extent);
    place.stride[a->axis] *= a->step;
    dit_move(place, *dy);
}

DIT_KERNEL(slice_backward) = {.run = run, .layout = DIT_ANY_STRIDES, .any_dtype = true};
