// backend/cpu/kernels/mse.c: mean((a - b)^2), in parts whose size does not depend on the number of threads.
#include "backend/cpu/nest.h"
#include "backend/cpu/row_sums.h"

enum { PART = 1 << 15 };

static int64_t parts_of(const dit_op_call *call)
{
    return (dit_shape_count(&call->in[0].shape) + PART - 1) / PART;
}

static size_t workspace(const dit_op_call *call)
{
    return (size_t)parts_of(call) * sizeof(double);
}

static void run(const dit_op_call *call)
{
    int64_t count = dit_shape_count(&call->in[0].shape), parts = parts_of(call);
    const float *a = call->in[0].data, *b = call->in[1].data;
    double *partial = call->workspace, sum = 0;
#pragma omp parallel for schedule(static) if (count >= DIT_PARALLEL_WORK)
    for (int64_t p = 0; p < parts; p++) {
        int64_t start = p * PART, n = count - start < PART ? count - start : PART;
        partial[p] = dit_sum_of_differences(a + start, b + start, 0, n);
    }
    for (int64_t p = 0; p < parts; p++)
        sum += partial[p];
    *(float *)call->out[0].data = (float)(sum / (double)count);
}

DIT_KERNEL(mse) = {.run = run, .workspace = workspace, .layout = DIT_DENSE};
