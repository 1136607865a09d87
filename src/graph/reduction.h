// graph/reduction.h: what the reductions (sum, mean, amax) share.
#ifndef DIT_GRAPH_REDUCTION_H
#define DIT_GRAPH_REDUCTION_H

#include "graph/ops.h"

// out[0] is in[0], a float tensor, without the axes whose bit is set in `axes`, or with extent 1 there when `keep`.
dit_status dit_shape_reduction(const char *op, unsigned axes, bool keep, dit_op_call *call, dit_error *error);
// The number of elements that one output of the reduction is made of.
int64_t dit_reduced_count(const dit_shape *x, unsigned axes);
// A tensor of the reduction's output shape, repeated to the shape of x. `x` is copied: it may point into the graph.
dit_tensor dit_expand_reduced(dit_graph *g, dit_tensor y, const dit_shape *x, unsigned axes);

// For references: the shape of x with extent 1 along the reduced axes, to walk with.
dit_shape dit_reduced_shape(const dit_shape *x, unsigned axes);

#endif
