// backend/cpu/move.h: moving and filling parts of tensors, for kernels that only rearrange elements.
#ifndef DIT_BACKEND_CPU_MOVE_H
#define DIT_BACKEND_CPU_MOVE_H

#include "backend/cpu/isa.h"
#include "backend/cpu/nest.h"
#include <string.h>

extern const dit_kernel DIT_CPU_SYMBOL(dit_kernel_copy);

// to = from, element by element: views of one dtype and shape, with any strides, that do not overlap.
static inline void dit_move(dit_view to, dit_view from)
{
    DIT_CPU_SYMBOL(dit_kernel_copy).run(&(dit_op_call){.inputs = 1, .outputs = 1, .in = &from, .out = &to});
}

// The `extent` indices of one axis from `start` on.
static inline dit_view dit_part(dit_view view, int axis, int64_t start, int64_t extent)
{
    view.data = (char *)view.data + start * view.stride[axis] * (int64_t)dit_dtype_size(view.dtype);
    view.shape.dim[axis] = extent;
    return view;
}

typedef struct dit_element {
    size_t size;
    _Alignas(8) unsigned char bytes[8];
} dit_element;

static inline void dit_fill_row(const dit_row *row, const void *context)
{
    const dit_element *e = context;
    if (row->stride[0] == (int64_t)e->size && !memcmp(e->bytes, (unsigned char[8]){0}, e->size))
        memset(row->at[0], 0, (size_t)row->n * e->size);
    else
        for (int64_t i = 0; i < row->n; i++)
            memcpy(row->at[0] + i * row->stride[0], e->bytes, e->size);
}

// Every element of `to` becomes `value`.
static inline void dit_fill(dit_view to, double value)
{
    dit_element e = {.size = dit_dtype_size(to.dtype)};
    dit_element_set(to.dtype, e.bytes, 0, value);
    dit_nest nest = dit_nest_of(&to.shape, (const dit_view *const[]){&to}, 1, true);
    dit_nest_run(&nest, 1, dit_fill_row, &e);
}

#endif
