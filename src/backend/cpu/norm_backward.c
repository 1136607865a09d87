// backend/cpu/norm_backward.c: how the backward of a row norm is shared out, and dweight and dbias are gathered.
#include "backend/cpu/norm_backward.h"
#include <string.h>

enum { MIN_ROWS = 16, MAX_PARTS = 64 };

static int64_t row_length(const dit_op_call *call)
{
    const dit_shape *s = &call->in[0].shape;
    return s->dim[s->rank - 1];
}

static int64_t rows_of(const dit_op_call *call)
{
    int64_t C = row_length(call);
    return C ? dit_shape_count(&call->in[0].shape) / C : 0;
}

static int64_t rows_of_part(int64_t rows)
{
    int64_t part = (rows + MAX_PARTS - 1) / MAX_PARTS;
    return part < MIN_ROWS ? MIN_ROWS : part;
}

size_t dit_norm_backward_workspace(const dit_op_call *call)
{
    int64_t rows = rows_of(call), part = rows_of_part(rows), parts = (rows + part - 1) / part;
    return (size_t)(parts * (call->outputs - 1) * row_length(call)) * sizeof(float);
}

// y = the sum of `parts` vectors of C, `stride` apart.
static void add_parts(float *y, const float *partial, int64_t parts, int64_t stride, int64_t C)
{
#pragma omp parallel for schedule(static) if (parts * C >= DIT_PARALLEL_WORK)
    for (int64_t c = 0; c < C; c++) {
        double sum = 0;
        for (int64_t p = 0; p < parts; p++)
            sum += (double)partial[p * stride + c];
        y[c] = (float)sum;
    }
}

void dit_norm_backward_run(const dit_op_call *call, dit_row_loop rows_loop)
{
    int64_t C = row_length(call), rows = rows_of(call), part = rows_of_part(rows), parts = (rows + part - 1) / part;
    int64_t sums = call->outputs - 1, stride = sums * C;
    const dit_view *operand[] = {&call->out[0], &call->in[0], &call->in[1]};
    dit_nest nest = dit_nest_of_rows(operand, 3);
    float *partial = call->workspace; // [parts][sums][C]
#pragma omp parallel for schedule(static) if (rows * C >= DIT_PARALLEL_WORK)
    for (int64_t p = 0; p < parts; p++) {
        dit_norm_part context = {.call = call, .C = C};
        if (sums) {
            memset(partial + p * stride, 0, (size_t)stride * sizeof *partial);
            context.weight = call->in[2].data;
            context.dweight = partial + p * stride;
            context.dbias = sums > 1 ? context.dweight + C : NULL;
        }
        dit_nest_walk(&nest, p * part, (p + 1) * part < rows ? (p + 1) * part : rows, rows_loop, &context);
    }
    for (int64_t k = 0; k < sums; k++)
        add_parts(call->out[k + 1].data, partial + k * C, parts, stride, C);
}
