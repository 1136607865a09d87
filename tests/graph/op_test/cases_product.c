// tests/graph/op_test/cases_product.c: matrix products.
//
// Sizes go around the register tiles and blocks of kernels: below, at and beyond a tile, with remainders in all three
// extents, and one row, which is a product of its own kind.
#include "graph/op_test/case.h"

#define LONG_SUMS .tolerance = 2e-6f, .why = "sums of hundreds of products of either sign"

static const op_case cases[] = {
    CASE(linear, INPUTS(FLOATS(5, 7), WEIGHT(3, 7), WEIGHT(3))),
    CASE(linear, INPUTS(FLOATS(2, 3, 8), WEIGHT(16, 8))),
    CASE(linear, INPUTS(FLOATS(1, 33), WEIGHT(70, 33), ABSENT)),
    CASE(linear, INPUTS(FLOATS(33), WEIGHT(5, 33), WEIGHT(5))),
    CASE(linear, INPUTS(FLOATS(0, 4), WEIGHT(3, 4), WEIGHT(3))),
    CASE(linear, INPUTS(FLOATS(1, 1), WEIGHT(1, 1), WEIGHT(1))),
    CASE_WITH((LONG_SUMS), linear, INPUTS(FLOATS(14, 64), WEIGHT(32, 64), WEIGHT(32))),
    CASE_WITH((LONG_SUMS), linear, INPUTS(FLOATS(15, 65), WEIGHT(33, 65), WEIGHT(33))),
    CASE_WITH((LONG_SUMS), linear, INPUTS(FLOATS(3, 29, 131), WEIGHT(97, 131), WEIGHT(97))),
    CASE_WITH((LONG_SUMS), linear, INPUTS(FLOATS(100, 600), WEIGHT(200, 600), WEIGHT(200))),
    // Longer along k than one pass, with even and odd k.
    CASE_WITH((.forward_only = true, LONG_SUMS), linear, INPUTS(FLOATS(37, 3602), WEIGHT(70, 3602), WEIGHT(70))),
    CASE_WITH((.forward_only = true, LONG_SUMS), linear, INPUTS(FLOATS(37, 3601), WEIGHT(70, 3601), WEIGHT(70))),
    // What fusion makes.
    CASE_WITH((.forward_only = true), linear, INPUTS(FLOATS(5, 20), WEIGHT(30, 20), WEIGHT(30)),
              .activation = DIT_SILU),
    CASE_WITH((.forward_only = true), linear, INPUTS(FLOATS(5, 20), WEIGHT(30, 20), WEIGHT(30)),
              .activation = DIT_GELU_TANH),
    CASE_WITH((.forward_only = true), linear, INPUTS(FLOATS(37, 20), WEIGHT(67, 20), ABSENT),
              .activation = DIT_GELU_ERF),
    CASE_WITH((.forward_only = true), linear, INPUTS(FLOATS(5, 20), WEIGHT(30, 20), WEIGHT(30)),
              .activation = DIT_RELU),
    CASE_WITH((.forward_only = true), linear,
              INPUTS(FLOATS(2, 9, 20), WEIGHT(30, 20), WEIGHT(30), FIXED(-2, 2, 2, 1, 30), FIXED(-2, 2, 2, 9, 30))),
    CASE_WITH((.forward_only = true), linear,
              INPUTS(FLOATS(2, 9, 20), WEIGHT(30, 20), ABSENT, FIXED(-2, 2, 30), FIXED(-2, 2, 2, 9, 30))),
    CASE_WITH((.forward_only = true), linear,
              INPUTS(FLOATS(2, 9, 20), WEIGHT(30, 20), WEIGHT(30), ABSENT, FIXED(-2, 2, 2, 9, 30)),
              .activation = DIT_SILU),
    CASE_WITH((.forward_only = true), linear,
              INPUTS(FLOATS(3, 40, 70), WEIGHT(99, 70), WEIGHT(99), FIXED(-2, 2, 3, 1, 99), FIXED(-2, 2, 3, 40, 99)),
              .activation = DIT_GELU_TANH),

    CASE(matmul, INPUTS(FLOATS(5, 7), FLOATS(7, 3))),
    CASE(matmul, INPUTS(FLOATS(2, 3, 4, 5), FLOATS(2, 3, 5, 6))),
    CASE(matmul, INPUTS(FLOATS(4, 1, 3, 5), FLOATS(2, 5, 4))),
    CASE(matmul, INPUTS(FLOATS(3, 5, 6), FLOATS(6, 4))),
    CASE(matmul, INPUTS(FLOATS(5, 6), FLOATS(3, 6, 4))),
    CASE(matmul, INPUTS(FLOATS_IN(0.1f, 2, 1, 30), FLOATS_IN(0.1f, 2, 30, 1))),
    CASE(matmul, INPUTS(FLOATS(9, 1), FLOATS(1, 9))),
    CASE(matmul, INPUTS(FLOATS(0, 3), FLOATS(3, 4))),
    CASE_WITH((LONG_SUMS), matmul, INPUTS(FLOATS(29, 131), FLOATS(131, 97))),
    CASE_WITH((LONG_SUMS), matmul, INPUTS(FLOATS(2, 50, 40), FLOATS(2, 40, 70))),
    CASE_WITH((LONG_SUMS), matmul, INPUTS(FLOATS(100, 600), FLOATS(600, 200))),

    // Quantised weights: decoded panel by panel, for few rows column by column, over several passes along k, and as the
    // rows of B, which the gradient with respect to x is made of.
    CASE_WITH((LONG_SUMS), linear, INPUTS(FLOATS(1, 256), QUANTIZED(3, 256))),
    CASE_WITH((LONG_SUMS), linear, INPUTS(FLOATS(7, 512), QUANTIZED(37, 512), FIXED(-1, 1, 37))),
    CASE_WITH((LONG_SUMS), linear, INPUTS(FLOATS(16, 2304), QUANTIZED(6, 2304), FIXED(-1, 1, 6))),
    CASE_WITH((LONG_SUMS), linear, INPUTS(FLOATS(2, 19, 256), QUANTIZED(70, 256), FIXED(-1, 1, 70))),
    CASE_WITH((.forward_only = true, LONG_SUMS), linear, INPUTS(FLOATS(33, 3584), QUANTIZED(65, 3584))),
    CASE_WITH((.forward_only = true, LONG_SUMS), linear,
              INPUTS(FLOATS(3, 40, 256), QUANTIZED(99, 256), FIXED(-1, 1, 99), FIXED(-2, 2, 3, 1, 99),
                     FIXED(-2, 2, 3, 40, 99)),
              .activation = DIT_GELU_TANH),
    CASE_WITH((LONG_SUMS), matmul, INPUTS(FLOATS(5, 7), QUANTIZED(7, 256))),
    CASE_WITH((.forward_only = true, LONG_SUMS), matmul, INPUTS(FLOATS(40, 1700), QUANTIZED(1700, 768))),

    CASE(grouped_linear, INPUTS(FLOATS(9, 7), WEIGHT(5, 7), ASCENDING(0, 2, 9), FLOATS(9, 5)), .group = 1, .count = 3),
    CASE(grouped_linear, INPUTS(FLOATS(9, 7), WEIGHT(5, 7), ASCENDING(0, 2, 9)), .group = 0, .count = 3),
    CASE(grouped_linear, INPUTS(FLOATS(6, 4), WEIGHT(3, 4), ASCENDING(0, 1, 6), FLOATS(6, 3)), .group = 2, .count = 4),
    CASE(grouped_linear, INPUTS(FLOATS(6, 4), WEIGHT(3, 4), ASCENDING(1, 1, 6), FLOATS(6, 3)), .group = 1, .count = 2),
    CASE(grouped_linear, INPUTS(FLOATS(0, 4), WEIGHT(3, 4), ASCENDING(0, 1, 0)), .group = 0, .count = 2),
    CASE_WITH((LONG_SUMS), grouped_linear,
              INPUTS(FLOATS(100, 131), WEIGHT(97, 131), ASCENDING(0, 3, 100), FLOATS(100, 97)), .group = 3, .count = 4),
    CASE_WITH((.forward_only = true, LONG_SUMS), grouped_linear,
              INPUTS(FLOATS(90, 1700), WEIGHT(70, 1700), ASCENDING(0, 9, 90), FLOATS(90, 70)), .group = 4, .count = 10),
    CASE_WITH((.forward_only = true, LONG_SUMS), grouped_linear,
              INPUTS(FLOATS(60, 512), QUANTIZED(37, 512), ASCENDING(0, 1, 60), FLOATS(60, 37)), .group = 1, .count = 2),
    CASE(grouped_linear_backward_weight, INPUTS(FLOATS(9, 5), FLOATS(9, 7), ASCENDING(0, 2, 9)), .group = 1,
         .count = 3),
    CASE(grouped_linear_backward_weight, INPUTS(FLOATS(9, 5), FLOATS(9, 7), ASCENDING(0, 2, 9)), .group = 3,
         .count = 4),
    CASE_WITH((LONG_SUMS), grouped_linear_backward_weight,
              INPUTS(FLOATS(300, 40), FLOATS(300, 37), ASCENDING(0, 1, 300)), .group = 0, .count = 2),

    PERF(linear, INPUTS(FLOATS(512, 4096), WEIGHT(4096, 4096))),
    PERF(grouped_linear, INPUTS(FLOATS(2048, 2560), WEIGHT(6912, 2560), ASCENDING(0, 3, 2048), FLOATS(2048, 6912)),
         .group = 1, .count = 4),
    PERF(linear, INPUTS(FLOATS(512, 4096), QUANTIZED(4096, 4096))),
    PERF(linear, INPUTS(FLOATS(2048, 3072), WEIGHT(12288, 3072))),
    PERF(linear, INPUTS(FLOATS(2048, 3072), QUANTIZED(12288, 3072))),
    PERF(linear, INPUTS(FLOATS(1, 4096), WEIGHT(4096, 4096))),
    PERF(linear, INPUTS(FLOATS(1, 4096), QUANTIZED(4096, 4096))),
    PERF(linear, INPUTS(FLOATS(512, 1152), WEIGHT(4608, 1152), WEIGHT(4608)), .activation = DIT_GELU_TANH),
    PERF(linear, INPUTS(FLOATS(512, 4608), WEIGHT(1152, 4608), WEIGHT(1152))),
    PERF(linear, INPUTS(FLOATS(2, 1152), WEIGHT(6912, 1152), WEIGHT(6912))),
    PERF(matmul, INPUTS(FLOATS(512, 4608), FLOATS(4608, 1152))),
    PERF(matmul, INPUTS(FLOATS(32, 256, 72), FLOATS(32, 72, 256))),
};

OP_CASES(product)
