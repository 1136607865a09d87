// backend/cpu/kernels/rope_table.c: the C library's cosine and sine in double: a table is made once, and its angles can
// be too large for anything less.
#include "backend/cpu/isa.h"
#include "backend/cpu/nest.h"
#include "backend/rounding.h"

static size_t workspace(const dit_op_call *call)
{
    const dit_shape *y = &call->out[0].shape;
    return (size_t)y->dim[y->rank - 2] * sizeof(double);
}

static void run(const dit_op_call *call)
{
    const struct dit_rope_table_attributes *a = call->attributes;
    const dit_shape *s = &call->out[0].shape;
    int64_t pairs = s->dim[s->rank - 2], tokens = dit_shape_count(&call->in[0].shape) / a->axes, made = 0;
    double *frequency = call->workspace;
    for (int axis = 0; axis < a->axes; axis++)
        for (int64_t i = 0; i < a->split[axis] / 2; i++)
            frequency[made++] = dit_rope_frequency(i, a->split[axis], a->theta, a->angles);
#pragma omp parallel for schedule(static) if (tokens * pairs >= DIT_PARALLEL_WORK / 32)
    for (int64_t t = 0; t < tokens; t++) {
        const float *position = (const float *)call->in[0].data + t * a->axes;
        const double *w = frequency;
        float *y = (float *)call->out[0].data + t * pairs * 2;
        for (int axis = 0; axis < a->axes; axis++)
            for (int64_t i = 0; i < a->split[axis] / 2; i++, w++, y += 2) {
                double angle = dit_rope_angle(position[axis], *w, a->angles);
                y[0] = (float)cos(angle);
                y[1] = (float)sin(angle);
            }
    }
}

DIT_KERNEL(rope_table) = {.run = run, .workspace = workspace, .layout = DIT_DENSE};
