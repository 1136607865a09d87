// backend/cpu/kernels/timestep_embedding.c: angles in float, in the reference's order; the C library's sine and cosine
// in double, since an angle may be near 1000.
#include "backend/cpu/isa.h"
#include "backend/cpu/nest.h"
#include "backend/rounding.h"

static size_t workspace(const dit_op_call *call)
{
    const struct dit_timestep_embedding_attributes *a = call->attributes;
    return (size_t)(a->width / 2) * sizeof(float);
}

static float time_at(const dit_view *t, int64_t n)
{
    switch (t->dtype) {
    case DIT_I32:
        return (float)((const int32_t *)t->data)[n];
    case DIT_I64:
        return (float)((const int64_t *)t->data)[n];
    default:
        return ((const float *)t->data)[n];
    }
}

static void run(const dit_op_call *call)
{
    const struct dit_timestep_embedding_attributes *a = call->attributes;
    int half = a->width / 2;
    int64_t count = dit_shape_count(&call->in[0].shape);
    float *frequency = call->workspace;
    for (int i = 0; i < half; i++)
        frequency[i] = dit_timestep_frequency(i, half, a->shift, a->max_period);
#pragma omp parallel for schedule(static) if (count * half >= DIT_PARALLEL_WORK / 32)
    for (int64_t n = 0; n < count; n++) {
        float t = time_at(&call->in[0], n), *y = (float *)call->out[0].data + n * a->width;
        y[a->width - 1] = 0; // overwritten when the width is even
        for (int i = 0; i < half; i++) {
            float angle = t * frequency[i];
            angle = angle * a->scale;
            y[a->flip ? half + i : i] = (float)sin((double)angle);
            y[a->flip ? i : half + i] = (float)cos((double)angle);
        }
    }
}

DIT_KERNEL(timestep_embedding) = {.run = run, .workspace = workspace, .layout = DIT_DENSE};
