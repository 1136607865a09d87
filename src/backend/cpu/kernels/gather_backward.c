// backend/cpu/kernels/gather_backward.c: threads share the lines along the axis, so every sum is made by one thread in
// the order of the axis: the same bits for any number of threads.
#include "backend/cpu/ids.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/nest.h"
#include <string.h>

enum { COLUMNS = 64 }; // lines, neighbours along the last axis, that are one piece of work

// The lines `first` to `first + n - 1` of the last axis, the axes before it being at dy and id. dx_step is between the
// elements of a line of dx.
static void add_lines(const dit_op_call *call, int axis, const float *dy, int64_t id, float *dx, int64_t dx_step,
                      int64_t n)
{
    const dit_view *from = &call->in[0], *ids = &call->in[1];
    int last = from->shape.rank - 1;
    int64_t extent = call->out[0].shape.dim[axis], step = from->stride[last], id_step = ids->stride[last];
    for (int64_t i = 0; i < extent; i++)
        memset(dx + i * dx_step, 0, (size_t)n * sizeof *dx);
    for (int64_t i = 0; i < from->shape.dim[axis]; i++, dy += from->stride[axis], id += ids->stride[axis]) {
        if (id_step == 0 && step == 1) { // one id for all lines
            float *to = dx + dit_id(ids, id, extent) * dx_step;
#pragma omp simd
            for (int64_t c = 0; c < n; c++)
                to[c] += dy[c];
        } else {
            for (int64_t c = 0; c < n; c++)
                dx[dit_id(ids, id + c * id_step, extent) * dx_step + c] += dy[c * step];
        }
    }
}

static void run(const dit_op_call *call)
{
    const struct dit_gather_backward_attributes *a = call->attributes;
    const dit_view *dy = &call->in[0], *ids = &call->in[1], *dx = &call->out[0];
    int last = dy->shape.rank - 1;
    bool within = a->axis == last; // then every line is a piece
    int64_t width = within ? 1 : dy->shape.dim[last], pieces = (width + COLUMNS - 1) / COLUMNS, lines = 1;
    for (int i = 0; i < last; i++)
        lines *= i == a->axis ? 1 : dy->shape.dim[i];
    int64_t work = lines * width * (dy->shape.dim[a->axis] + a->extent);
#pragma omp parallel for schedule(static) if (work >= DIT_PARALLEL_WORK)
    for (int64_t k = 0; k < lines * pieces; k++) {
        int64_t line = k / pieces, first = k % pieces * COLUMNS, n = width - first < COLUMNS ? width - first : COLUMNS;
        int64_t from = dit_line(dy, a->axis, last, line) + (within ? 0 : first * dy->stride[last]);
        int64_t id = dit_line(ids, a->axis, last, line) + (within ? 0 : first * ids->stride[last]);
        int64_t to = dit_line(dx, a->axis, last, line) + (within ? 0 : first);
        add_lines(call, a->axis, (const float *)dy->data + from, id, (float *)dx->data + to, dx->stride[a->axis], n);
    }
}

DIT_KERNEL(gather_backward) = {.run = run, .layout = DIT_ANY_STRIDES};
