// tests/graph/op_test/cases_elementwise.c: element-wise ops, casts and copies.
//
// Shapes go through the layouts that kernels tell apart: both dense, one repeated along rows or columns, scalars, no
// elements, odd lengths beyond a vector, and enough elements for several threads.
#include "graph/op_test/case.h"

#define BROADCASTS(NAME, A, B)                                                                                         \
    CASE(NAME, INPUTS(A(3, 5), B(3, 5))), CASE(NAME, INPUTS(A(2, 3, 7), B(7))),                                        \
        CASE(NAME, INPUTS(A(4, 1, 3), B(1, 5, 3))), CASE(NAME, INPUTS(A(6, 1), B(6, 9))),                              \
        CASE(NAME, INPUTS(A(), B(2, 19))), CASE(NAME, INPUTS(A(2, 19), B())), CASE(NAME, INPUTS(A(), B())),            \
        CASE(NAME, INPUTS(A(0, 3), B(1, 3))), CASE(NAME, INPUTS(A(2, 257, 67), B(2, 1, 67))),                          \
        PERF(NAME, INPUTS(A(2048, 1152), B(2048, 1152))), PERF(NAME, INPUTS(A(2, 1024, 1152), B(2, 1, 1152)))

#define SMALL_I32(...) I32(-9, 9, __VA_ARGS__)
#define SMALL_I64(...) I64(-9, 9, __VA_ARGS__)
#define FEW_I64(...) I64(0, 2, __VA_ARGS__)
#define FEW_I32(...) I32(0, 2, __VA_ARGS__)
#define NONZERO(...) FLOATS_IN(0.5, 2, __VA_ARGS__)
#define HALF_TRUE(...) BOOLS(0.5, __VA_ARGS__)

// Integers too.
#define ARITHMETIC(NAME, B)                                                                                            \
    BROADCASTS(NAME, FLOATS, B), CASE(NAME, INPUTS(SMALL_I32(3, 5), SMALL_I32(5))),                                    \
        CASE(NAME, INPUTS(SMALL_I64(4, 1), SMALL_I64(3))), CASE(NAME, INPUTS(FLOATS(4, 6), WEIGHT(6)))

#define COMPARISON(NAME)                                                                                               \
    CASE(NAME, INPUTS(FLOATS(3, 5), FLOATS(5))), CASE(NAME, INPUTS(FEW_I64(7, 9), FEW_I64(7, 9))),                     \
        CASE(NAME, INPUTS(FEW_I32(2, 1, 8), FEW_I32(3, 1))), CASE(NAME, INPUTS(FEW_I64(40), FEW_I64())),               \
        CASE(NAME, INPUTS(HALF_TRUE(21), HALF_TRUE(21)))

// x from the given kind of input.
#define UNARY(NAME, X, ...)                                                                                            \
    CASE(NAME, INPUTS(X(5, 7)), __VA_ARGS__), CASE(NAME, INPUTS(X()), __VA_ARGS__),                                    \
        CASE(NAME, INPUTS(X(0)), __VA_ARGS__), CASE(NAME, INPUTS(X(2, 3, 65)), __VA_ARGS__),                           \
        CASE(NAME, INPUTS(X(130, 259)), __VA_ARGS__), PERF(NAME, INPUTS(X(2048, 4608)), __VA_ARGS__)
#define POSITIVE(...) FLOATS_IN(0.1, 4, __VA_ARGS__)
#define WIDE(...) FLOATS_IN(-8, 8, __VA_ARGS__)

#define BACKWARD(NAME)                                                                                                 \
    CASE(NAME, INPUTS(FLOATS(5, 7), FLOATS(5, 7))), CASE(NAME, INPUTS(FLOATS(), FLOATS())),                            \
        CASE(NAME, INPUTS(FLOATS(130, 259), WIDE(130, 259))), PERF(NAME, INPUTS(FLOATS(2048, 4608), WIDE(2048, 4608)))

static const op_case cases[] = {
    ARITHMETIC(add, FLOATS),
    ARITHMETIC(sub, FLOATS),
    ARITHMETIC(mul, FLOATS),
    BROADCASTS(div, FLOATS, NONZERO),
    CASE(div, INPUTS(FLOATS(4, 6), FLOATS_IN(-3, -0.5, 6))),
    BROADCASTS(maximum, APART, GRID),
    CASE(maximum, INPUTS(SMALL_I32(3, 5), SMALL_I32(5))),
    BROADCASTS(minimum, GRID, APART),
    CASE(minimum, INPUTS(SMALL_I64(3, 5), SMALL_I64(5))),
    COMPARISON(equal),
    COMPARISON(less),
    CASE(where, INPUTS(HALF_TRUE(3, 5), FLOATS(3, 5), FLOATS(3, 5))),
    CASE(where, INPUTS(HALF_TRUE(4, 1), FLOATS(7), FLOATS())),
    CASE(where, INPUTS(HALF_TRUE(), FLOATS(2, 3), FLOATS(2, 1))),
    CASE(where, INPUTS(HALF_TRUE(2, 257, 67), FLOATS(2, 1, 67), FLOATS(257, 1))),
    CASE(where, INPUTS(HALF_TRUE(3, 5), SMALL_I64(3, 5), SMALL_I64(5))),
    CASE(where, INPUTS(HALF_TRUE(9), SMALL_I32(9), SMALL_I32())),
    CASE(where, INPUTS(HALF_TRUE(33), HALF_TRUE(33), HALF_TRUE(1))),
    PERF(where, INPUTS(HALF_TRUE(2048, 1152), FLOATS(2048, 1152), FLOATS())),

    UNARY(affine, FLOATS, .scale = 1.5f, .shift = -0.25f),
    UNARY(clamp, APART, .low = -1, .high = 1.5f),
    UNARY(abs, APART),
    UNARY(square, FLOATS),
    UNARY(exp, FLOATS),
    CASE(exp, INPUTS(WIDE(301))),
    UNARY(log, POSITIVE),
    UNARY(sqrt, POSITIVE),
    UNARY(rsqrt, POSITIVE),
    UNARY(sin, WIDE),
    UNARY(cos, WIDE),
    UNARY(tanh, FLOATS),
    UNARY(sigmoid, FLOATS),
    CASE(sigmoid, INPUTS(WIDE(301))),
    UNARY(relu, APART),
    UNARY(silu, WIDE),
    UNARY(gelu_tanh, FLOATS),
    CASE(gelu_tanh, INPUTS(WIDE(301))),
    UNARY(gelu_erf, FLOATS),
    CASE(gelu_erf, INPUTS(WIDE(301))),
    BACKWARD(silu_backward),
    BACKWARD(gelu_tanh_backward),
    BACKWARD(gelu_erf_backward),

    CASE(cast, INPUTS(ANY(5, 7)), .dtype = DIT_F32),
    CASE(cast, INPUTS(ANY(5, 7)), .dtype = DIT_F16),
    CASE(cast, INPUTS(ANY(5, 7)), .dtype = DIT_BF16),
    CASE(cast, INPUTS(ANY(5, 7)), .dtype = DIT_I32),
    CASE(cast, INPUTS(ANY(5, 7)), .dtype = DIT_I64),
    CASE(cast, INPUTS(ANY(5, 7)), .dtype = DIT_U8),
    CASE(cast, INPUTS(ANY(5, 7)), .dtype = DIT_BOOL),
    CASE(cast, INPUTS(ANY(130, 259)), .dtype = DIT_BF16),
    CASE(cast, INPUTS(QUANTIZED(3, 70, 256)), .dtype = DIT_F32), // as a plan does for kernels that do not decode
    PERF(cast, INPUTS(FLOATS(2048, 4608)), .dtype = DIT_BF16),
    PERF(cast, INPUTS(FLOATS(2048, 4608)), .dtype = DIT_F16),
    CASE(copy, INPUTS(ANY(2, 3, 4))),
    CASE(copy, INPUTS(ANY())),
    CASE(copy, INPUTS(ANY(0, 4))),
    CASE(copy, INPUTS(ANY(3, 70, 45))),
    CASE(copy, INPUTS(ANY(2, 3, 1, 4, 5, 2))),
    PERF(copy, INPUTS(FLOATS(2048, 1152))),
};

OP_CASES(elementwise)
