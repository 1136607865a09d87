// tests/graph/op_test/cases_image.c: pooling and resizing.
#include "graph/op_test/case.h"

#define WINDOW(AXES, ...) .window = {.axes = AXES, __VA_ARGS__}

static const op_case cases[] = {
    CASE(avg_pool, INPUTS(FLOATS(2, 3, 6, 8)), WINDOW(2, .extent = {2, 2}, .stride = {2, 2})),
    CASE(avg_pool, INPUTS(FLOATS(1, 2, 7, 9)), WINDOW(2, .extent = {3, 2}, .stride = {2, 3}, .padding = {1, 1})),
    CASE(avg_pool, INPUTS(FLOATS(2, 2, 11)), WINDOW(1, .extent = {5}, .stride = {1}, .padding = {2})),
    CASE(avg_pool, INPUTS(FLOATS(1, 2, 4, 5, 6)),
         WINDOW(3, .extent = {2, 3, 2}, .stride = {1, 2, 2}, .padding = {0, 1, 1})),
    CASE(avg_pool, INPUTS(FLOATS(1, 3, 4, 4)), WINDOW(2, .extent = {4, 4}, .stride = {4, 4})),
    CASE(avg_pool, INPUTS(FLOATS(3, 17, 40, 38)), WINDOW(2, .extent = {2, 2}, .stride = {2, 2})),
    CASE(avg_pool_backward, INPUTS(FLOATS(2, 3, 3, 4)), .x = OP_SHAPE(2, 3, 6, 8),
         WINDOW(2, .extent = {2, 2}, .stride = {2, 2})),
    CASE(avg_pool_backward, INPUTS(FLOATS(1, 2, 4, 4)), .x = OP_SHAPE(1, 2, 7, 9),
         WINDOW(2, .extent = {3, 2}, .stride = {2, 3}, .padding = {1, 1})),
    CASE(avg_pool_backward, INPUTS(FLOATS(2, 2, 11)), .x = OP_SHAPE(2, 2, 11),
         WINDOW(1, .extent = {5}, .stride = {1}, .padding = {2})),
    CASE(avg_pool_backward, INPUTS(FLOATS(1, 2, 3, 3, 4)), .x = OP_SHAPE(1, 2, 4, 5, 6),
         WINDOW(3, .extent = {2, 3, 2}, .stride = {1, 2, 2}, .padding = {0, 1, 1})),

    CASE(resize, INPUTS(FLOATS(1, 2, 3, 4)), .shape = OP_SHAPE(1, 2, 6, 8), .mode = DIT_NEAREST),
    CASE(resize, INPUTS(FLOATS(2, 5, 7)), .shape = OP_SHAPE(2, 3, 11), .mode = DIT_NEAREST),
    CASE(resize, INPUTS(FLOATS(3, 4)), .shape = OP_SHAPE(1, 1), .mode = DIT_NEAREST),
    CASE(resize, INPUTS(FLOATS(1, 2, 3, 4)), .shape = OP_SHAPE(1, 2, 6, 8), .mode = DIT_BILINEAR),
    CASE(resize, INPUTS(FLOATS(2, 5, 7)), .shape = OP_SHAPE(2, 3, 11), .mode = DIT_BILINEAR),
    CASE(resize, INPUTS(FLOATS(1, 1, 1, 1)), .shape = OP_SHAPE(1, 1, 5, 3), .mode = DIT_BILINEAR),
    CASE(resize, INPUTS(FLOATS(1, 2, 3, 4)), .shape = OP_SHAPE(1, 2, 7, 9), .mode = DIT_BILINEAR_CORNERS),
    CASE(resize, INPUTS(FLOATS(2, 5, 7)), .shape = OP_SHAPE(2, 1, 4), .mode = DIT_BILINEAR_CORNERS),
    CASE(resize, INPUTS(FLOATS(6, 50, 47)), .shape = OP_SHAPE(6, 97, 61), .mode = DIT_BILINEAR),
    CASE_WITH((.same_bits = true), resize_backward, INPUTS(FLOATS(1, 2, 6, 8)), .x = OP_SHAPE(1, 2, 3, 4),
              .mode = DIT_NEAREST),
    CASE_WITH((.same_bits = true), resize_backward, INPUTS(FLOATS(2, 3, 11)), .x = OP_SHAPE(2, 5, 7),
              .mode = DIT_BILINEAR),
    CASE_WITH((.same_bits = true), resize_backward, INPUTS(FLOATS(2, 7, 9)), .x = OP_SHAPE(2, 3, 4),
              .mode = DIT_BILINEAR_CORNERS),
    CASE_WITH((.same_bits = true), resize_backward, INPUTS(FLOATS(70, 31, 30)), .x = OP_SHAPE(70, 13, 15),
              .mode = DIT_BILINEAR),

    PERF(avg_pool, INPUTS(FLOATS(8, 64, 128, 128)), WINDOW(2, .extent = {2, 2}, .stride = {2, 2})),
    PERF(avg_pool_backward, INPUTS(FLOATS(8, 64, 64, 64)), .x = OP_SHAPE(8, 64, 128, 128),
         WINDOW(2, .extent = {2, 2}, .stride = {2, 2})),
    PERF(resize, INPUTS(FLOATS(4, 64, 64, 64)), .shape = OP_SHAPE(4, 64, 128, 128), .mode = DIT_NEAREST),
    PERF(resize, INPUTS(FLOATS(4, 64, 64, 64)), .shape = OP_SHAPE(4, 64, 128, 128), .mode = DIT_BILINEAR),
    PERF(resize_backward, INPUTS(FLOATS(4, 64, 128, 128)), .x = OP_SHAPE(4, 64, 64, 64), .mode = DIT_NEAREST),
    PERF(resize_backward, INPUTS(FLOATS(4, 64, 128, 128)), .x = OP_SHAPE(4, 64, 64, 64), .mode = DIT_BILINEAR),
};

OP_CASES(image)
