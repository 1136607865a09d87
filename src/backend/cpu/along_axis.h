// backend/cpu/along_axis.h: what softmax and its relatives share: work along one axis of dense tensors of one shape.
#ifndef DIT_BACKEND_CPU_ALONG_AXIS_H
#define DIT_BACKEND_CPU_ALONG_AXIS_H

#include "backend/cpu/isa.h"
#include "backend/cpu/nest.h"

enum { DIT_AXIS_COLUMNS = 128 };

typedef struct dit_along_axis {
    // One row of n contiguous elements of y, from a and (with two inputs) b.
    void (*row)(float *y, const float *a, const float *b, int64_t n);
    // `width` (at most DIT_AXIS_COLUMNS) columns of n elements, `stride` elements apart.
    void (*columns)(float *y, const float *a, const float *b, int64_t n, int64_t stride, int64_t width);
} dit_along_axis;

static inline void dit_run_along_axis(const dit_op_call *call, int axis, int64_t cost, const dit_along_axis *loops)
{
    const dit_shape *s = &call->out[0].shape;
    int at = axis < 0 ? axis + s->rank : axis;
    int64_t outer = 1, n = s->dim[at], inner = 1;
    for (int i = 0; i < at; i++)
        outer *= s->dim[i];
    for (int i = at + 1; i < s->rank; i++)
        inner *= s->dim[i];
    float *y = call->out[0].data;
    const float *a = call->in[0].data, *b = call->inputs > 1 ? call->in[1].data : a;
    int64_t blocks = (inner + DIT_AXIS_COLUMNS - 1) / DIT_AXIS_COLUMNS;
#pragma omp parallel for schedule(static) if (outer * n * inner * cost >= DIT_PARALLEL_WORK)
    for (int64_t t = 0; t < outer * blocks; t++) {
        int64_t column = t % blocks * DIT_AXIS_COLUMNS, at_t = t / blocks * n * inner + column;
        int64_t width = inner - column < DIT_AXIS_COLUMNS ? inner - column : DIT_AXIS_COLUMNS;
        if (inner == 1)
            loops->row(y + at_t, a + at_t, b + at_t, n);
        else
            loops->columns(y + at_t, a + at_t, b + at_t, n, inner, width);
    }
}

#endif
