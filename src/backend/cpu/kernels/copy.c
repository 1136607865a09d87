// backend/cpu/kernels/copy.c: y = x, dense, from any strides.
//
// Rows that are contiguous on both sides are copied whole; everything else is an element at a time, but for
// transpositions. These go by tiles as wide as a cache line of x, through a buffer: the lines of a tile are often a
// power of two apart, so that the cache could not hold them until all of their elements are used.
#include "backend/cpu/elementwise.h"

enum { LINE = 64, COLUMNS = 32 }; // bytes; elements

static void copy_row(const dit_row *row, const void *size)
{
    memcpy(row->at[0], row->at[1], (size_t)(row->n * *(const int64_t *)size));
}

// Elements of type T at any strides; and a tile of `rows` (at most a line) x `columns` elements, whose columns are
// contiguous in x and whose rows are in y. Strides are in bytes.
#define COPY(T)                                                                                                        \
    static void copy_##T(const dit_row *row, const void *context)                                                      \
    {                                                                                                                  \
        (void)context;                                                                                                 \
        for (int64_t i = 0; i < row->n; i++)                                                                           \
            DIT_ELEMENT(T, row, 0, i) = DIT_ELEMENT(const T, row, 1, i);                                               \
    }                                                                                                                  \
    static void transpose_##T(char *y, int64_t y_stride, const char *x, int64_t x_stride, int64_t rows,                \
                              int64_t columns)                                                                         \
    {                                                                                                                  \
        enum { ROWS = LINE / sizeof(T) };                                                                              \
        T tile[COLUMNS][ROWS];                                                                                         \
        for (int64_t c = 0; c < columns; c++)                                                                          \
            memcpy(tile[c], x + c * x_stride, rows == ROWS ? LINE : (size_t)rows * sizeof(T));                         \
        for (int64_t r = 0; r < rows; r++) {                                                                           \
            T *to = (T *)(void *)(y + r * y_stride);                                                                   \
            if (columns == COLUMNS)                                                                                    \
                for (int c = 0; c < COLUMNS; c++)                                                                      \
                    to[c] = tile[c][r];                                                                                \
            else                                                                                                       \
                for (int64_t c = 0; c < columns; c++)                                                                  \
                    to[c] = tile[c][r];                                                                                \
        }                                                                                                              \
    }

COPY(uint8_t)
COPY(uint16_t)
COPY(uint32_t)
COPY(uint64_t)

static const struct copier {
    dit_row_loop loop;
    void (*transpose)(char *y, int64_t y_stride, const char *x, int64_t x_stride, int64_t rows, int64_t columns);
} copiers[] = {[1] = {copy_uint8_t, transpose_uint8_t},
               [2] = {copy_uint16_t, transpose_uint16_t},
               [4] = {copy_uint32_t, transpose_uint32_t},
               [8] = {copy_uint64_t, transpose_uint64_t}};

// The axis along which x is contiguous while y is so along the last one; -1: there is no such pair worth tiling.
static int transposed_axis(const dit_nest *nest, int64_t size)
{
    int last = nest->rank - 1;
    for (int i = 0; i < last && nest->dim[last] >= 4; i++)
        if (nest->stride[1][i] == size && nest->dim[i] >= 4)
            return i;
    return -1;
}

// y and x, transposed in the axes `a` and the last one, repeated over all others.
static void copy_transposed(const dit_nest *nest, int a, int64_t size, const struct copier *copier)
{
    int last = nest->rank - 1;
    int64_t rows = nest->dim[a], columns = nest->dim[last];
    int64_t line = LINE / size, row_tiles = (rows + line - 1) / line, column_tiles = (columns + COLUMNS - 1) / COLUMNS;
    int64_t matrices = nest->count / (rows * columns), tiles = matrices * row_tiles * column_tiles;
#pragma omp parallel for schedule(static) if (nest->count >= DIT_PARALLEL_WORK)
    for (int64_t t = 0; t < tiles; t++) {
        int64_t column = t % column_tiles * COLUMNS, row = t / column_tiles % row_tiles * line;
        int64_t rest = t / column_tiles / row_tiles;
        char *y = nest->data[0] + row * nest->stride[0][a] + column * nest->stride[0][last];
        const char *x = nest->data[1] + row * nest->stride[1][a] + column * nest->stride[1][last];
        for (int i = last - 1; i >= 0; i--) {
            if (i == a)
                continue;
            y += rest % nest->dim[i] * nest->stride[0][i];
            x += rest % nest->dim[i] * nest->stride[1][i];
            rest /= nest->dim[i];
        }
        copier->transpose(y, nest->stride[0][a], x, nest->stride[1][last], rows - row < line ? rows - row : line,
                          columns - column < COLUMNS ? columns - column : COLUMNS);
    }
}

static void run(const dit_op_call *call)
{
    const dit_view *operand[] = {&call->out[0], &call->in[0]};
    int64_t size = (int64_t)dit_dtype_size(call->in[0].dtype);
    const struct copier *copier = &copiers[size];
    dit_nest nest = dit_nest_of(&call->out[0].shape, operand, 2, false);
    if (nest.count == 0)
        return;
    int last = nest.rank - 1, a = transposed_axis(&nest, size);
    bool dense_y = nest.stride[0][last] == size; // false only for other kernels' moves (backend/cpu/move.h)
    if ((dense_y && nest.stride[1][last] == size) || nest.dim[last] == 1) {
        dit_nest_run(&nest, DIT_CHEAP, copy_row, &size);
    } else if (dense_y && a >= 0) {
        copy_transposed(&nest, a, size, copier);
    } else {
        nest = dit_nest_of(&call->out[0].shape, operand, 2, true);
        dit_nest_run(&nest, DIT_CHEAP, copier->loop, NULL);
    }
}

DIT_KERNEL(copy) = {.run = run, .layout = DIT_ANY_STRIDES, .any_dtype = true};
