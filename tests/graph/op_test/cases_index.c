// tests/graph/op_test/cases_index.c: ops that go by ids. Some ids are out of range: kernels clamp them.
#include "graph/op_test/case.h"

static const op_case cases[] = {
    CASE(embedding, INPUTS(ANY(5, 3), I64(0, 4, 2, 7))),
    CASE(embedding, INPUTS(ANY(4, 1), I32(-3, 9, 11))),
    CASE(embedding, INPUTS(ANY(1, 6), I64(0, 0))),
    CASE(embedding, INPUTS(ANY(100, 130), I64(-2, 103, 300))),
    CASE(embedding, INPUTS(QUANTIZED(6, 512), I64(-1, 7, 3, 4))),
    CASE_WITH((.same_bits = true), scatter_add, INPUTS(FLOATS(2, 7, 3), I64(0, 4, 2, 7)), .count = 5),
    CASE_WITH((.same_bits = true), scatter_add, INPUTS(FLOATS(11, 1), I32(-3, 9, 11)), .count = 4),
    CASE_WITH((.same_bits = true), scatter_add, INPUTS(FLOATS(6), I64(0, 0)), .count = 2),
    CASE_WITH((.same_bits = true), scatter_add, INPUTS(FLOATS(300, 130), I64(-2, 53, 300)), .count = 50),

    CASE(gather, INPUTS(ANY(3, 4), I64(0, 3, 3, 6)), .axis = 1),
    CASE(gather, INPUTS(ANY(3, 4, 2), I64(-2, 5, 3, 7, 2)), .axis = 1),
    CASE(gather, INPUTS(ANY(5, 4), I32(0, 4, 2, 3)), .axis = 0), // index shorter along the other axis
    CASE(gather, INPUTS(ANY(4, 3, 5), I64(0, 2, 2, 4, 3)), .axis = 1),
    CASE(gather, INPUTS(ANY(6), I64(-9, 9, 10)), .axis = 0),
    CASE(gather, INPUTS(ANY(30, 40, 41), I64(0, 39, 30, 39, 41)), .axis = 1),
    CASE_WITH((.same_bits = true), gather_backward, INPUTS(FLOATS(3, 6), I64(0, 3, 3, 6)), .axis = 1, .extent = 4),
    CASE_WITH((.same_bits = true), gather_backward, INPUTS(FLOATS(3, 7, 2), I32(-2, 5, 3, 7, 2)), .axis = 1,
              .extent = 4),
    CASE_WITH((.same_bits = true), gather_backward, INPUTS(FLOATS(10), I64(-9, 9, 10)), .axis = 0, .extent = 6),
    CASE_WITH((.same_bits = true), gather_backward, INPUTS(FLOATS(9, 40, 141), I64(0, 30, 9, 40, 141)), .axis = 1,
              .extent = 31),

    CASE(one_hot, INPUTS(I64(0, 4, 2, 7)), .classes = 5),
    CASE(one_hot, INPUTS(I32(-3, 9, 11)), .classes = 4),
    CASE(one_hot, INPUTS(I64(0, 0)), .classes = 1),
    CASE(one_hot, INPUTS(I64(0, 999, 50)), .classes = 1000),

    CASE(top_k, INPUTS(APART(3, 7)), .k = 3),
    CASE(top_k, INPUTS(APART(2, 3, 5)), .k = 5),
    CASE(top_k, INPUTS(APART(9)), .k = 1),
    CASE(top_k, INPUTS(APART(4, 300)), .k = 37),
    CASE_WITH((.forward_only = true), top_k, INPUTS(FLOATS_IN(1, 1, 3, 8)), .k = 4), // equal: the lower index first
    CASE_WITH((.forward_only = true), top_k, INPUTS(FLOATS(40, 1000)), .k = 100),

    CASE(route, INPUTS(I64(0, 3, 2, 5, 2)), .experts = 4),
    CASE(route, INPUTS(I32(-2, 9, 40, 3)), .experts = 7),
    CASE(route, INPUTS(I64(2, 2, 6)), .experts = 5), // one token, one expert
    CASE(route, INPUTS(I64(0, 0, 0, 2)), .experts = 1),

    CASE_WITH((.perf = true, .sparse = true), embedding, INPUTS(FLOATS(32000, 1024), I64(0, 31999, 2048))),
    PERF(scatter_add, INPUTS(FLOATS(2048, 1024), I64(0, 31999, 2048)), .count = 32000),
    PERF(scatter_add, INPUTS(FLOATS(4096, 384), I64(0, 9, 4096)), .count = 10),
    PERF(gather, INPUTS(FLOATS(4096, 384), I64(0, 383, 4096, 128)), .axis = 1),
    PERF(gather_backward, INPUTS(FLOATS(4096, 128), I64(0, 383, 4096, 128)), .axis = 1, .extent = 384),
    PERF(one_hot, INPUTS(I64(0, 999, 4096)), .classes = 1000),
    PERF(top_k, INPUTS(FLOATS(8192, 64)), .k = 6),
    PERF(top_k, INPUTS(FLOATS(64, 65536)), .k = 50),
};

OP_CASES(index)
