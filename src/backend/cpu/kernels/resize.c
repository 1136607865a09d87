// backend/cpu/kernels/resize.c: row by row; threads share the rows of all planes.
#include "backend/cpu/nest.h"
#include "backend/cpu/resize_taps.h"

static size_t workspace(const dit_op_call *call)
{
    const dit_shape *y = &call->out[0].shape;
    return dit_resize_taps_bytes(y->dim[y->rank - 1]);
}

static void nearest_row(const float *x, const dit_resize_taps *taps, float *y, int64_t n)
{
    const int32_t *column = taps->first;
#pragma omp simd
    for (int64_t j = 0; j < n; j++)
        y[j] = x[column[j]];
}

// `down` is the fraction of the lower row.
static void bilinear_row(const float *top, const float *bottom, float down, const dit_resize_taps *taps, float *y,
                         int64_t n)
{
    const int32_t *first = taps->first, *second = taps->second;
    const float *fraction = taps->fraction;
#pragma omp simd
    for (int64_t j = 0; j < n; j++) {
        float u = fraction[j];
        float above = top[first[j]] * (1 - u) + top[second[j]] * u;
        float below = bottom[first[j]] * (1 - u) + bottom[second[j]] * u;
        y[j] = above * (1 - down) + below * down;
    }
}

static void run(const dit_op_call *call)
{
    const struct dit_resize_attributes *a = call->attributes;
    const dit_shape *x = &call->in[0].shape, *y = &call->out[0].shape;
    int64_t h = x->dim[x->rank - 2], w = x->dim[x->rank - 1], H = y->dim[y->rank - 2], W = y->dim[y->rank - 1];
    int64_t rows = dit_shape_count(y) / W;
    dit_resize_taps taps = dit_resize_taps_in(call->workspace, w, W, a->mode);
#pragma omp parallel for schedule(static) if (rows * W >= DIT_PARALLEL_WORK / 4)
    for (int64_t n = 0; n < rows; n++) {
        dit_resize_tap tap = dit_resize_tap_of(n % H, h, H, a->mode);
        const float *plane = (const float *)call->in[0].data + n / H * h * w;
        float *to = (float *)call->out[0].data + n * W;
        if (a->mode == DIT_NEAREST)
            nearest_row(plane + tap.first * w, &taps, to, W);
        else
            bilinear_row(plane + tap.first * w, plane + tap.second * w, tap.fraction, &taps, to, W);
    }
}

DIT_KERNEL(resize) = {.run = run, .workspace = workspace, .layout = DIT_DENSE};
