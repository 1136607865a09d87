// backend/cpu/nest.c: loop nests over operands of any strides.
#include "backend/cpu/nest.h"
#include <omp.h>

// An innermost axis shorter than this is worth changing for a longer one.
enum { SHORT_ROW = 16 };

// Whether axis i and the axis j inside it are one axis to every operand.
static bool mergeable(const dit_nest *nest, int i, int j)
{
    for (int k = 0; k < nest->operands; k++)
        if (nest->stride[k][i] != nest->stride[k][j] * nest->dim[j])
            return false;
    return true;
}

static void copy_axis(dit_nest *nest, int to, int from)
{
    nest->dim[to] = nest->dim[from];
    for (int k = 0; k < nest->operands; k++)
        nest->stride[k][to] = nest->stride[k][from];
}

// Drops axes of extent 1 and merges what can be merged.
static void collapse(dit_nest *nest)
{
    int rank = 0;
    for (int i = 0; i < nest->rank; i++) {
        if (nest->dim[i] == 1)
            continue;
        copy_axis(nest, rank, i);
        if (rank > 0 && mergeable(nest, rank - 1, rank)) {
            int64_t outer = nest->dim[rank - 1];
            copy_axis(nest, rank - 1, rank);
            nest->dim[rank - 1] *= outer;
        } else {
            rank++;
        }
    }
    if (rank == 0) { // one element
        nest->dim[0] = 1;
        for (int k = 0; k < nest->operands; k++)
            nest->stride[k][0] = 0;
        rank = 1;
    }
    nest->rank = rank;
}

static void put_longest_inside(dit_nest *nest)
{
    int last = nest->rank - 1, longest = last;
    for (int i = 0; i < last; i++)
        if (nest->dim[i] > nest->dim[longest])
            longest = i;
    if (nest->dim[last] >= SHORT_ROW || longest == last)
        return;
    dit_nest was = *nest;
    copy_axis(nest, last, longest);
    nest->dim[longest] = was.dim[last];
    for (int k = 0; k < nest->operands; k++)
        nest->stride[k][longest] = was.stride[k][last];
}

dit_nest dit_nest_of(const dit_shape *shape, const dit_view *const *operand, int operands, bool reorder)
{
    dit_nest nest = {.rank = shape->rank, .operands = operands, .count = dit_shape_count(shape)};
    for (int i = 0; i < shape->rank; i++)
        nest.dim[i] = shape->dim[i];
    for (int k = 0; k < operands; k++) {
        const dit_view *v = operand[k];
        int64_t size = (int64_t)dit_dtype_size(v->dtype);
        nest.data[k] = v->data;
        for (int i = 0; i < v->shape.rank; i++)
            if (v->shape.dim[i] != 1)
                nest.stride[k][i + shape->rank - v->shape.rank] = v->stride[i] * size;
    }
    collapse(&nest);
    if (reorder)
        put_longest_inside(&nest);
    return nest;
}

void dit_nest_walk(const dit_nest *nest, int64_t begin, int64_t end, dit_row_loop loop, const void *context)
{
    int last = nest->rank - 1;
    int64_t index[DIT_MAX_RANK], rest = begin;
    dit_row row = {0};
    if (begin >= end)
        return;
    for (int k = 0; k < nest->operands; k++) {
        row.at[k] = nest->data[k];
        row.stride[k] = nest->stride[k][last];
    }
    for (int i = last; i >= 0; i--) {
        index[i] = rest % nest->dim[i];
        rest /= nest->dim[i];
        for (int k = 0; k < nest->operands; k++)
            row.at[k] += index[i] * nest->stride[k][i];
    }
    for (;;) {
        int64_t left = nest->dim[last] - index[last];
        row.n = left < end - begin ? left : end - begin;
        loop(&row, context);
        begin += row.n;
        if (begin >= end)
            return;
        for (int k = 0; k < nest->operands; k++)
            row.at[k] -= index[last] * row.stride[k];
        index[last] = 0;
        for (int i = last - 1;; i--) { // begin < end: some axis has not come to its end
            for (int k = 0; k < nest->operands; k++)
                row.at[k] += nest->stride[k][i];
            if (++index[i] < nest->dim[i])
                break;
            for (int k = 0; k < nest->operands; k++)
                row.at[k] -= index[i] * nest->stride[k][i];
            index[i] = 0;
        }
    }
}

void dit_nest_run(const dit_nest *nest, int64_t cost, dit_row_loop loop, const void *context)
{
    // Elements are shared out by 64, so that no two threads write into one cache line; rows, which cost more, one by
    // one.
    int64_t block = cost < 64 ? 64 : 1, blocks = (nest->count + block - 1) / block;
    if (nest->count * cost < DIT_PARALLEL_WORK) {
        dit_nest_walk(nest, 0, nest->count, loop, context);
        return;
    }
#pragma omp parallel
    {
        int64_t threads = omp_get_num_threads(), t = omp_get_thread_num();
        int64_t end = blocks * (t + 1) / threads * block;
        dit_nest_walk(nest, blocks * t / threads * block, end < nest->count ? end : nest->count, loop, context);
    }
}

void dit_elementwise_run(const dit_op_call *call, int cost, dit_row_loop loop)
{
    const dit_view *operand[DIT_NEST_OPERANDS] = {&call->out[0]};
    for (int i = 0; i < call->inputs; i++)
        operand[i + 1] = &call->in[i];
    dit_nest nest = dit_nest_of(&call->out[0].shape, operand, call->inputs + 1, true);
    dit_nest_run(&nest, cost, loop, call->attributes);
}

dit_nest dit_nest_of_rows(const dit_view *const *operand, int operands)
{
    dit_view outer[DIT_NEST_OPERANDS];
    const dit_view *pointer[DIT_NEST_OPERANDS];
    for (int k = 0; k < operands; k++) {
        outer[k] = *operand[k];
        outer[k].shape.rank -= outer[k].shape.rank > 0;
        pointer[k] = &outer[k];
    }
    return dit_nest_of(&outer[0].shape, pointer, operands, false);
}
