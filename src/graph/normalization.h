// graph/normalization.h: what the definitions of the norms and softmaxes share.
#ifndef DIT_GRAPH_NORMALIZATION_H
#define DIT_GRAPH_NORMALIZATION_H

#include "graph/ops.h"
#include <math.h>

// Fails unless `v`, named `name` in the error, is absent or a float vector of extent C.
dit_status dit_check_vector(const char *op, const char *name, const dit_view *v, int64_t C, dit_error *error);
// Fails unless `v` is a float tensor of the shape of `x`.
dit_status dit_check_like(const char *op, const char *name, const dit_view *v, const dit_view *x, dit_error *error);
// Sets an output. (A gradient is as wide as the one that it is made from: f32 in a backward pass.)
void dit_set_output(dit_op_call *call, int k, dit_dtype dtype, dit_shape shape);

// The shape rule of an op on float x (input 0), normalising along `axis`, whose output is like x.
dit_status dit_shape_along_axis(const char *op, int axis, dit_op_call *call, dit_error *error);
// The shape rule of dx, from dy and y of one shape, along `axis`.
dit_status dit_shape_along_axis_backward(const char *op, int axis, dit_op_call *call, dit_error *error);

// For references: a tensor cut along an axis, from the front or (negative) the end, is (outer, n, inner).
typedef struct dit_axis_cut {
    int64_t outer, n, inner;
} dit_axis_cut;
dit_axis_cut dit_cut_at_axis(const dit_shape *shape, int axis);
// For references: the mean (0 with `rms`) and 1 / sqrt(variance + eps) of n values.
typedef struct dit_moments {
    double mean, scale;
} dit_moments;
dit_moments dit_moments_of(const double *x, int64_t n, double eps, bool rms);

#endif
