// tests/graph/op_test/cases_reduction.c: sums, means, maxima, over every kind of axis set.
#include "graph/op_test/case.h"

#define REDUCTION(NAME, X, OPTIONS)                                                                                    \
    CASE(NAME, INPUTS(X(3, 5)), .axes = 2), CASE(NAME, INPUTS(X(3, 5)), .axes = 1, .keep = true),                      \
        CASE(NAME, INPUTS(X(3, 5)), .axes = 3), CASE(NAME, INPUTS(X(2, 3, 4, 5)), .axes = 5),                          \
        CASE(NAME, INPUTS(X(2, 3, 4, 5)), .axes = 10, .keep = true), CASE(NAME, INPUTS(X(7)), .axes = 1),              \
        CASE(NAME, INPUTS(X(4, 1, 6)), .axes = 2), CASE(NAME, INPUTS(X(3, 5)), .axes = 0),                             \
        CASE(NAME, INPUTS(X(2, 3, 2, 3, 2, 2)), .axes = 42),                                                           \
        CASE_WITH(OPTIONS, NAME, INPUTS(X(3, 70, 515)), .axes = 4),                                                    \
        CASE_WITH(OPTIONS, NAME, INPUTS(X(257, 130)), .axes = 1),                                                      \
        CASE_WITH(OPTIONS, NAME, INPUTS(X(61, 517)), .axes = 3), PERF(NAME, INPUTS(X(2048, 1152)), .axes = 2),         \
        PERF(NAME, INPUTS(X(2048, 1152)), .axes = 1), PERF(NAME, INPUTS(X(2048, 1152)), .axes = 3)

static const op_case cases[] = {
    REDUCTION(sum, FLOATS, (.same_bits = true)),
    REDUCTION(mean, FLOATS, (.same_bits = true)),
    REDUCTION(amax, APART, (.forward_only = false)),
};

OP_CASES(reduction)
