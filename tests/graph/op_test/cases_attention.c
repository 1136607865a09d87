// tests/graph/op_test/cases_attention.c: attention in all its shapes: self and cross, grouped heads, every kind of
// mask, causal, rows that see nothing, head sizes around the tiles.
#include "graph/op_test/case.h"

#define MASK(...) BOOLS(0.6f, __VA_ARGS__)
#define SOFTMAX .tolerance = 2e-6f, .why = "a softmax of sums of products, then sums of products"

// y alone enters the loss: lse has no gradient.
#define ATTENTION(IN, ...) CASE_WITH((SOFTMAX, .loss_outputs = 1), attention, IN, __VA_ARGS__)
// Roundings have no finite differences.
#define ATTENTION_ROUNDED(IN, ...) CASE_WITH((SOFTMAX, .forward_only = true), attention, IN, __VA_ARGS__)
// 16 keys and more: on AVX-512 an exponential of four digits, as torch's.
#define ATTENTION_MANY_ROUNDED(IN, ...)                                                                                \
    CASE_WITH((.tolerance = 1e-4f, .why = "weights of four digits, as torch has them", .forward_only = true),          \
              attention, IN, __VA_ARGS__)
#define ATTENTION_BACKWARD(IN, ...) CASE_WITH((SOFTMAX), attention_backward, IN, __VA_ARGS__)

static const op_case cases[] = {
    ATTENTION(INPUTS(FLOATS(2, 5, 3, 4), FLOATS(2, 5, 3, 4), FLOATS(2, 5, 3, 4), ABSENT), .scale = 0.5f),
    ATTENTION(INPUTS(FLOATS(1, 7, 2, 6), FLOATS(1, 4, 2, 6), FLOATS(1, 4, 2, 6), ABSENT), .scale = 0.4f),
    ATTENTION(INPUTS(FLOATS(1, 3, 6, 4), FLOATS(1, 5, 2, 4), FLOATS(1, 5, 2, 4), ABSENT), .scale = 0.5f),
    ATTENTION(INPUTS(FLOATS(2, 6, 2, 4), FLOATS(2, 6, 2, 4), FLOATS(2, 6, 2, 4), ABSENT), .scale = 0.5f,
              .causal = true),
    ATTENTION(INPUTS(FLOATS(2, 3, 2, 4), FLOATS(2, 5, 2, 4), FLOATS(2, 5, 2, 4), MASK(2, 1, 1, 5)), .scale = 0.5f),
    ATTENTION(INPUTS(FLOATS(2, 3, 2, 4), FLOATS(2, 5, 2, 4), FLOATS(2, 5, 2, 4), MASK(2, 2, 3, 5)), .scale = 0.5f),
    ATTENTION(INPUTS(FLOATS(1, 3, 2, 4), FLOATS(1, 5, 2, 4), FLOATS(1, 5, 2, 4), BOOLS(0, 3, 5)), .scale = 0.5f),
    ATTENTION(INPUTS(FLOATS(2, 3, 2, 4), FLOATS(2, 5, 2, 4), FLOATS(2, 5, 2, 4), FIXED(-3, 3, 2, 3, 5)), .scale = 0.5f),
    ATTENTION(INPUTS(FLOATS(2, 3, 4, 4), FLOATS(2, 5, 2, 4), FLOATS(2, 5, 2, 4), FLOATS(4, 3, 5)), .scale = 0.5f),
    ATTENTION(INPUTS(FLOATS(2, 4, 2, 4), FLOATS(2, 4, 2, 4), FLOATS(2, 4, 2, 4), FLOATS(2, 1, 1, 4)), .scale = 0.5f,
              .causal = true),
    ATTENTION(INPUTS(FLOATS(2, 4, 2, 4), FLOATS(2, 4, 2, 4), FLOATS(2, 4, 2, 4), FIXED(-3, 3, 4, 4)), .scale = 0.5f,
              .causal = true),
    ATTENTION(INPUTS(FLOATS(1, 1, 1, 1), FLOATS(1, 1, 1, 1), FLOATS(1, 1, 1, 1), ABSENT), .scale = 1),
    ATTENTION(INPUTS(FLOATS(1, 50, 2, 72), FLOATS(1, 50, 2, 72), FLOATS(1, 50, 2, 72), ABSENT), .scale = 0.118f),
    ATTENTION(INPUTS(FLOATS(1, 67, 4, 33), FLOATS(1, 301, 2, 33), FLOATS(1, 301, 2, 33), MASK(1, 1, 67, 301)),
              .scale = 0.17f),
    ATTENTION(INPUTS(FLOATS(1, 270, 1, 64), FLOATS(1, 270, 1, 64), FLOATS(1, 270, 1, 64), ABSENT), .scale = 0.125f,
              .causal = true),

    // Weights are rounded, beside the largest score of 512 keys; of many, a few different ones, none of which lies next
    // to the middle between two values.
    ATTENTION_ROUNDED(INPUTS(FLOATS(2, 5, 3, 4), FLOATS(2, 5, 3, 4), FLOATS(2, 5, 3, 4), ABSENT), .scale = 0.5f,
                      .weights = DIT_BF16),
    ATTENTION_ROUNDED(INPUTS(FLOATS(2, 3, 2, 4), FLOATS(2, 5, 2, 4), FLOATS(2, 5, 2, 4), MASK(2, 2, 3, 5)),
                      .scale = 0.5f, .weights = DIT_F16),
    ATTENTION_MANY_ROUNDED(INPUTS(GRID(1, 3, 2, 1), GRID(1, 1100, 2, 1), GRID(1, 1100, 2, 1), ABSENT), .scale = 0.9f,
                           .weights = DIT_BF16),

    // Odd numbers of features and of keys, which bf16 takes in pairs; and hundreds of keys of about the same weight,
    // where one that falls to the other side of a middle is lost.
    ATTENTION_ROUNDED(INPUTS(FLOATS(1, 20, 4, 33), FLOATS(1, 13, 2, 33), FLOATS(1, 13, 2, 33), MASK(1, 1, 20, 13)),
                      .scale = 0.17f, .weights = DIT_BF16),
    ATTENTION_MANY_ROUNDED(INPUTS(FLOATS_IN(-0.2f, 0.2f, 1, 30, 2, 72), FLOATS(1, 555, 2, 72),
                                  FLOATS_IN(1, 2, 1, 555, 2, 72), FLOATS_IN(-0.2f, 0.2f, 2, 1, 555)),
                           .scale = 0.118f, .weights = DIT_BF16),

    ATTENTION_BACKWARD(INPUTS(FLOATS(2, 5, 3, 4), FLOATS(2, 5, 3, 4), FLOATS(2, 5, 3, 4), FLOATS(2, 5, 3, 4), ABSENT,
                              FLOATS(2, 5, 3, 4), FIXED(1, 3, 2, 3, 5)),
                       .scale = 0.5f),
    ATTENTION_BACKWARD(INPUTS(FLOATS(1, 3, 6, 4), FLOATS(1, 3, 6, 4), FLOATS(1, 5, 2, 4), FLOATS(1, 5, 2, 4),
                              MASK(3, 5), FLOATS(1, 3, 6, 4), FIXED(1, 3, 1, 6, 3)),
                       .scale = 0.5f),
    ATTENTION_BACKWARD(INPUTS(FLOATS(1, 6, 2, 4), FLOATS(1, 6, 2, 4), FLOATS(1, 6, 2, 4), FLOATS(1, 6, 2, 4),
                              FIXED(-2, 2, 2, 6, 6), FLOATS(1, 6, 2, 4), FIXED(1, 3, 1, 2, 6)),
                       .scale = 0.5f, .causal = true),
    ATTENTION_BACKWARD(INPUTS(FLOATS(1, 67, 4, 33), FLOATS(1, 67, 4, 33), FLOATS(1, 131, 2, 33), FLOATS(1, 131, 2, 33),
                              ABSENT, FLOATS(1, 67, 4, 33), FIXED(6, 9, 1, 4, 67)),
                       .scale = 0.17f),
    // Biases that swallow all scores: every key alike, with gradients as if the scores were still there.
    ATTENTION_BACKWARD(INPUTS(FLOATS(2, 4, 2, 4), FLOATS(2, 4, 2, 4), FLOATS(2, 7, 2, 4), FLOATS(2, 7, 2, 4),
                              FIXED(-1e30f, -1e30f, 4, 7), FLOATS(2, 4, 2, 4), FIXED(-1e30f, -1e30f, 2, 2, 4)),
                       .scale = 0.5f),
    ATTENTION_BACKWARD(INPUTS(FLOATS(1, 4, 2, 4), FLOATS(1, 4, 2, 4), FLOATS(1, 4, 1, 4), FLOATS(1, 4, 1, 4),
                              FIXED(-1e30f, -1e30f, 1, 4), FLOATS(1, 4, 2, 4), FIXED(-1e30f, -1e30f, 1, 2, 4)),
                       .scale = 0.5f, .causal = true),

    PERF(attention, INPUTS(FLOATS(2, 256, 16, 72), FLOATS(2, 256, 16, 72), FLOATS(2, 256, 16, 72), ABSENT),
         .scale = 0.118f),
    PERF(attention, INPUTS(FLOATS(1, 1024, 24, 128), FLOATS(1, 1024, 24, 128), FLOATS(1, 1024, 24, 128), ABSENT),
         .scale = 0.088f),
    PERF(attention_backward,
         INPUTS(FLOATS(2, 256, 16, 72), FLOATS(2, 256, 16, 72), FLOATS(2, 256, 16, 72), FLOATS(2, 256, 16, 72), ABSENT,
                FLOATS(2, 256, 16, 72), FIXED(5, 6, 2, 16, 256)),
         .scale = 0.118f),
};

OP_CASES(attention)
