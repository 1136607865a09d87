// backend/cpu/norm_backward.h: how the backward of a row norm is shared out, and dweight and dbias are gathered.
//
// Rows are cut into parts, by shape alone; each part adds up its own dweight and dbias, and these are added in order,
// so the result does not depend on the number of threads.
#ifndef DIT_BACKEND_CPU_NORM_BACKWARD_H
#define DIT_BACKEND_CPU_NORM_BACKWARD_H

#include "backend/cpu/nest.h"

// What the loop over rows of dx, dy, x gets as its context.
typedef struct dit_norm_part {
    const dit_op_call *call;
    int64_t C;
    const float *weight;    // NULL: none, nor sums
    float *dweight, *dbias; // of this part, (C) each, zeroed; dbias is there when the op has three outputs
} dit_norm_part;

size_t dit_norm_backward_workspace(const dit_op_call *call);
// call: dy, x, weight -> dx [, dweight [, dbias]]. `rows` adds to its part's sums.
void dit_norm_backward_run(const dit_op_call *call, dit_row_loop rows);

#endif
