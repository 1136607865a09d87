// backend/conv_geometry.h: a convolution with its axes named, shared by the references and the kernels.
#ifndef DIT_BACKEND_CONV_GEOMETRY_H
#define DIT_BACKEND_CONV_GEOMETRY_H

#include "backend/kernel.h"

// x (B, groups * C, in...), weight (groups * O, C, kernel...), y (B, groups * O, out...), always with three spatial
// axes, outermost first: absent ones come before the others and have one element. A transposed convolution is described
// by the convolution that it turns around: its input is y here, and its output x.
typedef struct dit_conv_geometry {
    int64_t B, groups, C, O;
    int64_t in[3], out[3], kernel[3];
    int64_t stride[3], padding[3], dilation[3];
} dit_conv_geometry;

static inline dit_conv_geometry dit_conv_geometry_of(const dit_shape *x, const dit_shape *weight, const dit_shape *y,
                                                     const dit_window *w)
{
    dit_conv_geometry c = {x->dim[0], w->groups, weight->dim[1], weight->dim[0] / w->groups,
                           {1, 1, 1}, {1, 1, 1}, {1, 1, 1},      {1, 1, 1},
                           {0, 0, 0}, {1, 1, 1}};
    for (int i = 0; i < w->axes; i++) {
        int to = i + 3 - w->axes;
        c.in[to] = x->dim[i + 2];
        c.out[to] = y->dim[i + 2];
        c.kernel[to] = weight->dim[i + 2];
        c.stride[to] = w->stride[i];
        c.padding[to] = w->padding[i];
        c.dilation[to] = w->dilation[i];
    }
    return c;
}

#endif
