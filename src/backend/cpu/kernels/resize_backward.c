// backend/cpu/kernels/resize_backward.c: each row of dy is first gathered to the width of x, then added to the one or
// two rows of dx it was mixed from. Threads share the planes, so every sum is made by one thread in the order of dy.
#include "backend/cpu/nest.h"
#include "backend/cpu/resize_taps.h"
#include <string.h>

enum { SHARES = 64 }; // planes are dealt to this many shares, each with a row of its own

static int64_t shares_of(const dit_shape *x)
{
    int64_t planes = dit_shape_count(x) / (x->dim[x->rank - 2] * x->dim[x->rank - 1]);
    return planes < SHARES ? planes : SHARES;
}

static size_t workspace(const dit_op_call *call)
{
    const dit_shape *dy = &call->in[0].shape, *dx = &call->out[0].shape;
    return dit_resize_taps_bytes(dy->dim[dy->rank - 1]) +
           (size_t)(shares_of(dx) * dx->dim[dx->rank - 1]) * sizeof(float);
}

static void narrow_row(const float *dy, const dit_resize_taps *taps, bool nearest, float *sums, int64_t w, int64_t W)
{
    memset(sums, 0, (size_t)w * sizeof *sums);
    for (int64_t j = 0; j < W; j++) {
        sums[taps->first[j]] += (1 - taps->fraction[j]) * dy[j];
        if (!nearest)
            sums[taps->second[j]] += taps->fraction[j] * dy[j];
    }
}

static void add_row(float *dx, const float *sums, float weight, int64_t w)
{
#pragma omp simd
    for (int64_t j = 0; j < w; j++)
        dx[j] += weight * sums[j];
}

static void spread_plane(const float *dy, const dit_resize_taps *taps, float *sums, float *dx, int64_t h, int64_t w,
                         int64_t H, int64_t W, dit_resize_mode mode)
{
    memset(dx, 0, (size_t)(h * w) * sizeof *dx);
    for (int64_t i = 0; i < H; i++) {
        dit_resize_tap tap = dit_resize_tap_of(i, h, H, mode);
        narrow_row(dy + i * W, taps, mode == DIT_NEAREST, sums, w, W);
        add_row(dx + tap.first * w, sums, 1 - tap.fraction, w);
        if (tap.fraction > 0)
            add_row(dx + tap.second * w, sums, tap.fraction, w);
    }
}

static void run(const dit_op_call *call)
{
    const struct dit_resize_backward_attributes *a = call->attributes;
    const dit_shape *x = &call->out[0].shape, *y = &call->in[0].shape;
    int64_t h = x->dim[x->rank - 2], w = x->dim[x->rank - 1], H = y->dim[y->rank - 2], W = y->dim[y->rank - 1];
    int64_t planes = dit_shape_count(x) / (h * w), shares = shares_of(x);
    dit_resize_taps taps = dit_resize_taps_in(call->workspace, w, W, a->mode);
    float *rows = taps.fraction + W; // (shares, w)
#pragma omp parallel for schedule(static) if (planes * H * W >= DIT_PARALLEL_WORK / 4)
    for (int64_t share = 0; share < shares; share++)
        for (int64_t n = planes * share / shares; n < planes * (share + 1) / shares; n++)
            spread_plane((const float *)call->in[0].data + n * H * W, &taps, rows + share * w,
                         (float *)call->out[0].data + n * h * w, h, w, H, W, a->mode);
}

DIT_KERNEL(resize_backward) = {.run = run, .workspace = workspace, .layout = DIT_DENSE};
