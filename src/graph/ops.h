// graph/ops.h: the builders of every op of backend/ops.def: dit_add(g, a, b), dit_linear(g, x, weight, bias), ...
#ifndef DIT_GRAPH_OPS_H
#define DIT_GRAPH_OPS_H

#include "graph/graph.h"

#define OP(name, parameters, ...)                                                                                      \
    dit_tensor dit_##name parameters;                                                                                  \
    extern const dit_op dit_op_##name;
#define VIEW_OP OP
#include "backend/ops.def"

// Common shorthands
// ----------------------------------------------------------------------------------------------------

// Swaps two axes (negative ones count from the end).
dit_tensor dit_transpose(dit_graph *g, dit_tensor x, int axis_a, int axis_b);
// Sums `x` over the axes that broadcasting repeated, so that it gets `shape`: the gradient of a broadcast operand.
dit_tensor dit_sum_to(dit_graph *g, dit_tensor x, const dit_shape *shape);

// For shape rules
// ------------------------------------------------------------------------------------------------------

// The numpy broadcast of two shapes; an error names the op and both shapes.
dit_status dit_broadcast_shapes(const char *op, const dit_shape *a, const dit_shape *b, dit_shape *y, dit_error *error);
// out[0] gets the dtype and shape of in[0], which must be a float tensor.
dit_status dit_shape_like_float(dit_op_call *call, dit_error *error);
// out[0] is the broadcast of in[0] and in[1], with the dtype of in[0].
dit_status dit_shape_broadcast(dit_op_call *call, dit_error *error);
// The axis counted from the front, or -1 when it is out of range.
int dit_axis_from_front(int axis, int rank);

// For references
// -------------------------------------------------------------------------------------------------------

// Steps through all indices of a shape in row-major order; offset[k] is where array k, dense in its own shape broadcast
// to the walked one, has the element.
typedef struct dit_walk {
    dit_shape shape;
    int arrays;
    int64_t index[DIT_MAX_RANK], stride[4][DIT_MAX_RANK], offset[4];
} dit_walk;
dit_walk dit_walk_start(const dit_shape *shape, int arrays, const dit_shape *const *shapes);
bool dit_walk_next(dit_walk *walk); // false after the last index

#endif
