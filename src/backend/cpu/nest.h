// backend/cpu/nest.h: loop nests over operands of any strides, shared by kernels that go through memory element by
// element. A nest drops axes of extent 1 and merges neighbours, so that a kernel only writes the innermost loop.
#ifndef DIT_BACKEND_CPU_NEST_H
#define DIT_BACKEND_CPU_NEST_H

#include "backend/kernel.h"

enum {
    DIT_NEST_OPERANDS = 4,
    // Work below this many cheap element operations is not worth waking other threads for (about 10 us).
    DIT_PARALLEL_WORK = 1 << 15,
};

// Operands seen over common axes. Strides are in bytes; at least one axis is left, of extent 0 when there is nothing.
typedef struct dit_nest {
    int rank, operands;
    int64_t count; // of elements
    int64_t dim[DIT_MAX_RANK];
    char *data[DIT_NEST_OPERANDS];
    int64_t stride[DIT_NEST_OPERANDS][DIT_MAX_RANK];
} dit_nest;

// A piece of the innermost axis: n elements of every operand, `stride` bytes apart.
typedef struct dit_row {
    int64_t n;
    char *at[DIT_NEST_OPERANDS];
    int64_t stride[DIT_NEST_OPERANDS];
} dit_row;
typedef void (*dit_row_loop)(const dit_row *row, const void *context);

// The nest over `shape` of operands that broadcast to it, the output first. Axes keep their order, except that a very
// short innermost axis changes places with a longer one where `reorder` allows it.
dit_nest dit_nest_of(const dit_shape *shape, const dit_view *const *operand, int operands, bool reorder);

// The nest over all axes but the last of operands that broadcast to the first one: its elements are rows.
dit_nest dit_nest_of_rows(const dit_view *const *operand, int operands);

// Calls `loop` for the elements [begin, end), counted in row-major order of the nest's axes.
void dit_nest_walk(const dit_nest *nest, int64_t begin, int64_t end, dit_row_loop loop, const void *context);
// The same for all elements, shared between threads when count * cost makes that worth while (cost 1: an addition).
void dit_nest_run(const dit_nest *nest, int64_t cost, dit_row_loop loop, const void *context);

// All of a call's first output and inputs as one nest: the shape of an element-wise kernel.
void dit_elementwise_run(const dit_op_call *call, int cost, dit_row_loop loop);

#endif
