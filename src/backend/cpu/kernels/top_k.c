// backend/cpu/kernels/top_k.c: a heap of the k best elements seen so far, its worst at the root, kept in the outputs
// themselves and sorted in place at the end: N log k comparisons in the worst case, N for most rows.
#include "backend/cpu/isa.h"
#include "backend/cpu/nest.h"
#include <math.h>

// The order of the result: larger values first, NaN before numbers, equal ones by index.
static bool before(float a, int64_t i, float b, int64_t j)
{
    if (a > b || (isnan(a) && !isnan(b)))
        return true;
    return (a == b || (isnan(a) && isnan(b))) && i < j;
}

// Lets the element at place `at` sink until its children come before it.
static void sink(float *value, int64_t *index, int64_t at, int64_t size)
{
    float v = value[at];
    int64_t i = index[at];
    for (int64_t child; (child = 2 * at + 1) < size; at = child) {
        if (child + 1 < size && before(value[child], index[child], value[child + 1], index[child + 1]))
            child++; // the one that comes later
        if (!before(v, i, value[child], index[child]))
            break;
        value[at] = value[child];
        index[at] = index[child];
    }
    value[at] = v;
    index[at] = i;
}

static void select_row(const float *x, int64_t n, float *value, int64_t *index, int64_t k)
{
    for (int64_t i = 0; i < k; i++) {
        value[i] = x[i];
        index[i] = i;
    }
    for (int64_t at = k / 2 - 1; at >= 0; at--)
        sink(value, index, at, k);
    for (int64_t i = k; i < n; i++) // a later index loses against an equal value
        if (x[i] > value[0] || (isnan(x[i]) && !isnan(value[0]))) {
            value[0] = x[i];
            index[0] = i;
            sink(value, index, 0, k);
        }
    for (int64_t size = k - 1; size > 0; size--) { // the worst goes to the end
        float v = value[0];
        int64_t i = index[0];
        value[0] = value[size];
        index[0] = index[size];
        value[size] = v;
        index[size] = i;
        sink(value, index, 0, size);
    }
}

static void run(const dit_op_call *call)
{
    const struct dit_top_k_attributes *a = call->attributes;
    const dit_shape *s = &call->in[0].shape;
    int64_t n = s->dim[s->rank - 1], count = dit_shape_count(s), rows = count / n;
    const float *x = call->in[0].data;
    float *values = call->out[0].data;
    int64_t *indices = call->out[1].data;
#pragma omp parallel for schedule(static) if (count >= DIT_PARALLEL_WORK)
    for (int64_t r = 0; r < rows; r++)
        select_row(x + r * n, n, values + r * a->k, indices + r * a->k, a->k);
}

DIT_KERNEL(top_k) = {.run = run, .layout = DIT_DENSE};
