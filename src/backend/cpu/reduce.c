// backend/cpu/reduce.c: reductions over any set of axes.
#include "backend/cpu/reduce.h"
#include <stdbool.h>

enum {
    ROW_PART = 1 << 15, // elements that one task takes of a long row
    COLUMN_PART = 512,  // rows that one task takes when rows are added to each other
};

// How one reduction is cut into tasks.
struct cut {
    dit_nest kept, reduced; // of x
    bool columns;           // x is contiguous along the last kept axis: rows are added to each other
    int64_t parts, part;    // the reduced elements (or rows) are cut into `parts` of `part`
};

static dit_nest nest_of_axes(const dit_view *x, unsigned axes)
{
    dit_view some = {.dtype = x->dtype, .data = x->data};
    for (int i = 0; i < x->shape.rank; i++)
        if (axes >> i & 1) {
            some.shape.dim[some.shape.rank] = x->shape.dim[i];
            some.stride[some.shape.rank++] = x->stride[i];
        }
    const dit_view *operand = &some;
    return dit_nest_of(&some.shape, &operand, 1, false);
}

static struct cut cut_of(const dit_op_call *call, unsigned axes)
{
    const dit_view *x = &call->in[0];
    struct cut cut = {.kept = nest_of_axes(x, ~axes), .reduced = nest_of_axes(x, axes)};
    int64_t size = sizeof(float);
    cut.columns = cut.kept.stride[0][cut.kept.rank - 1] == size && cut.kept.dim[cut.kept.rank - 1] > 1 &&
                  cut.reduced.stride[0][cut.reduced.rank - 1] != size;
    cut.part = cut.columns ? COLUMN_PART : ROW_PART;
    cut.parts = (cut.reduced.count + cut.part - 1) / cut.part;
    return cut;
}

// Enough for either way of cutting, so that it depends on the shape alone.
size_t dit_reduce_workspace(const dit_op_call *call, unsigned axes)
{
    const dit_shape *x = &call->in[0].shape;
    int64_t kept = 1, reduced = 1;
    for (int i = 0; i < x->rank; i++)
        *(axes >> i & 1 ? &reduced : &kept) *= x->dim[i];
    int64_t parts = (reduced + COLUMN_PART - 1) / COLUMN_PART;
    return parts > 1 ? (size_t)(parts * kept) * sizeof(double) : 0;
}

// Where the k-th element of a nest lies, in bytes.
static int64_t offset_of(const dit_nest *nest, int64_t k)
{
    int64_t offset = 0;
    for (int i = nest->rank - 1; i >= 0; i--) {
        offset += k % nest->dim[i] * nest->stride[0][i];
        k /= nest->dim[i];
    }
    return offset;
}

// What the walk over the reduced axes hands to the reduction.
struct task {
    const dit_reduction *reduction;
    double *total;
    int64_t width; // 0: a row
};

static void take(const dit_row *row, const void *context)
{
    const struct task *task = context;
    if (task->width)
        task->reduction->columns(task->total, row->at[0], row->stride[0], row->n, task->width);
    else
        task->reduction->row(task->total, row->at[0], row->stride[0], row->n);
}

// Reduces part `p` for `width` kept elements from the k-th on (0: for the k-th alone) into total.
static void reduce_part(const struct cut *cut, const dit_reduction *reduction, int64_t k, int64_t width, int64_t p,
                        double *total)
{
    struct task task = {reduction, total, width};
    int64_t begin = p * cut->part,
            end = begin + cut->part < cut->reduced.count ? begin + cut->part : cut->reduced.count;
    char *x = cut->reduced.data[0] + offset_of(&cut->kept, k);
    for (int64_t i = 0; i < (width ? width : 1); i++)
        total[i] = reduction->start;
    if (cut->reduced.rank == 1) { // nothing to walk: short rows are worth the short cut
        int64_t stride = cut->reduced.stride[0][0];
        take(&(dit_row){.n = end - begin, .at = {x + begin * stride}, .stride = {stride}}, &task);
    } else {
        dit_nest reduced = cut->reduced;
        reduced.data[0] = x;
        dit_nest_walk(&reduced, begin, end, take, &task);
    }
}

void dit_reduce_run(const dit_op_call *call, unsigned axes, const dit_reduction *reduction, double scale)
{
    struct cut cut = cut_of(call, axes);
    float *y = call->out[0].data;
    double *partial = call->workspace; // [kept / row][parts][row]
    int64_t kept = cut.kept.count, parts = cut.parts;
    int64_t row = cut.columns ? cut.kept.dim[cut.kept.rank - 1] : 1,
            width = row < DIT_REDUCE_COLUMNS ? row : DIT_REDUCE_COLUMNS;
    int64_t blocks = (row + width - 1) / width, tasks = kept ? kept / row * blocks * (parts ? parts : 1) : 0;
    bool many = kept * cut.reduced.count >= DIT_PARALLEL_WORK;

#pragma omp parallel for schedule(static) if (many)
    for (int64_t t = 0; t < tasks; t++) {
        double total[DIT_REDUCE_COLUMNS];
        int64_t p = parts ? t % parts : 0, b = t / (parts ? parts : 1) % blocks, r = t / (parts ? parts : 1) / blocks;
        int64_t k = r * row + b * width, n = row - b * width < width ? row - b * width : width;
        reduce_part(&cut, reduction, k, cut.columns ? n : 0, p, total);
        if (parts <= 1)
            for (int64_t i = 0; i < n; i++)
                y[k + i] = (float)(total[i] * scale);
        else
            for (int64_t i = 0; i < n; i++)
                partial[(r * parts + p) * row + b * width + i] = total[i];
    }
    if (parts <= 1)
        return;
#pragma omp parallel for schedule(static) if (kept * parts >= DIT_PARALLEL_WORK)
    for (int64_t t = 0; t < kept / row * blocks; t++) {
        int64_t b = t % blocks, r = t / blocks, n = row - b * width < width ? row - b * width : width;
        double *total = partial + r * parts * row + b * width;
        for (int64_t p = 1; p < parts; p++)
            reduction->merge(total, total + p * row, n);
        for (int64_t i = 0; i < n; i++)
            y[r * row + b * width + i] = (float)(total[i] * scale);
    }
}
