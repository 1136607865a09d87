// tests/graph/op_test/cases_norm.c: softmax, norms, losses.
//
// Rows of a few elements, of odd lengths around whole vectors, and longer than one run of a sum (1024).
#include "graph/op_test/case.h"

// x: what the first input (or every input) is made of. The axis lies at the front, between, and at the end.
#define ALONG_AXIS(NAME, ...)                                                                                          \
    CASE(NAME, INPUTS(__VA_ARGS__(7)), .axis = 0), CASE(NAME, INPUTS(__VA_ARGS__(3, 5)), .axis = 1),                   \
        CASE(NAME, INPUTS(__VA_ARGS__(3, 5)), .axis = 0), CASE(NAME, INPUTS(__VA_ARGS__(2, 3, 67)), .axis = -1),       \
        CASE(NAME, INPUTS(__VA_ARGS__(2, 9, 131)), .axis = 1), CASE(NAME, INPUTS(__VA_ARGS__(4, 1)), .axis = 1),       \
        CASE(NAME, INPUTS(__VA_ARGS__(0, 4)), .axis = 1), CASE(NAME, INPUTS(__VA_ARGS__(70, 1300)), .axis = 1),        \
        PERF(NAME, INPUTS(__VA_ARGS__(4096, 1024)), .axis = 1),                                                        \
        PERF(NAME, INPUTS(__VA_ARGS__(16, 256, 1024)), .axis = 1)
#define ONE_WIDE(...) FLOATS_IN(-8, 8, __VA_ARGS__)
#define GRADIENT_AND_PROBABILITY(...) FLOATS(__VA_ARGS__), FLOATS_IN(0, 1, __VA_ARGS__)
#define GRADIENT_AND_LOG(...) FLOATS(__VA_ARGS__), FLOATS_IN(-6, 0, __VA_ARGS__)

// A value around 3, so that mean and variance matter.
#define OFF_CENTRE(...) FLOATS_IN(2, 4, __VA_ARGS__)
#define SAME_BITS .same_bits = true

static const op_case cases[] = {
    ALONG_AXIS(softmax, ONE_WIDE),
    ALONG_AXIS(log_softmax, ONE_WIDE),
    // Nearly all of a row's weight on one element: what a bf16 result makes of it ruins the gradient.
    CASE_WITH((.forward_only = true), softmax, INPUTS(FLOATS_IN(-200, 200, 3, 40)), .axis = 1),
    CASE(log_softmax, INPUTS(FLOATS_IN(-200, 200, 3, 40)), .axis = 1),
    ALONG_AXIS(softmax_backward, GRADIENT_AND_PROBABILITY),
    ALONG_AXIS(log_softmax_backward, GRADIENT_AND_LOG),

    CASE(layer_norm, INPUTS(FLOATS(3, 5), WEIGHT(5), WEIGHT(5)), .eps = 1e-5f),
    CASE(layer_norm, INPUTS(FLOATS(2, 3, 67), ABSENT, ABSENT), .eps = 1e-6f),
    CASE(layer_norm, INPUTS(FLOATS(2, 3, 67), WEIGHT(67), ABSENT), .eps = 1e-5f),
    CASE(layer_norm, INPUTS(FLOATS(2, 3, 67), ABSENT, WEIGHT(67)), .eps = 1e-5f),
    CASE(layer_norm, INPUTS(FLOATS(19), WEIGHT(19), WEIGHT(19)), .eps = 0),
    CASE(layer_norm, INPUTS(FLOATS(0, 8), WEIGHT(8), WEIGHT(8)), .eps = 1e-5f),
    CASE_WITH((.forward_only = true), layer_norm, INPUTS(FLOATS(33, 1), WEIGHT(1), WEIGHT(1)), .eps = 1),
    CASE(layer_norm, INPUTS(FLOATS(2, 20, 1153), WEIGHT(1153), WEIGHT(1153)), .eps = 1e-5f),
    CASE(layer_norm, INPUTS(OFF_CENTRE(4, 130), ABSENT, ABSENT), .eps = 1e-5f),
    PERF(layer_norm, INPUTS(FLOATS(512, 1152), ABSENT, ABSENT), .eps = 1e-6f),
    PERF(layer_norm, INPUTS(FLOATS(2048, 1152), FLOATS(1152), FLOATS(1152)), .eps = 1e-6f),
    CASE_WITH((SAME_BITS), layer_norm_backward, INPUTS(FLOATS(3, 5), FLOATS(3, 5), WEIGHT(5)), .eps = 1e-5f),
    CASE_WITH((SAME_BITS), layer_norm_backward, INPUTS(FLOATS(2, 3, 67), FLOATS(2, 3, 67), ABSENT), .eps = 1e-5f),
    CASE_WITH((SAME_BITS), layer_norm_backward, INPUTS(FLOATS(0, 8), FLOATS(0, 8), WEIGHT(8)), .eps = 1e-5f),
    CASE_WITH((SAME_BITS), layer_norm_backward, INPUTS(FLOATS(90, 517), FLOATS(90, 517), WEIGHT(517)), .eps = 1e-5f),
    PERF(layer_norm_backward, INPUTS(FLOATS(2048, 1152), FLOATS(2048, 1152), ABSENT), .eps = 1e-6f),
    PERF(layer_norm_backward, INPUTS(FLOATS(2048, 1152), FLOATS(2048, 1152), FLOATS(1152)), .eps = 1e-6f),

    CASE(rms_norm, INPUTS(FLOATS(3, 5), WEIGHT(5)), .eps = 1e-5f),
    CASE(rms_norm, INPUTS(FLOATS(2, 3, 67), ABSENT), .eps = 1e-6f),
    CASE(rms_norm, INPUTS(FLOATS(0, 8), WEIGHT(8)), .eps = 1e-5f),
    CASE(rms_norm, INPUTS(FLOATS(2, 20, 1153), WEIGHT(1153)), .eps = 1e-5f),
    PERF(rms_norm, INPUTS(FLOATS(2048, 1152), FLOATS(1152)), .eps = 1e-6f),
    PERF(rms_norm, INPUTS(FLOATS(2, 1024, 16, 72), FLOATS(72)), .eps = 1e-6f),
    CASE_WITH((SAME_BITS), rms_norm_backward, INPUTS(FLOATS(3, 5), FLOATS(3, 5), WEIGHT(5)), .eps = 1e-5f),
    CASE_WITH((SAME_BITS), rms_norm_backward, INPUTS(FLOATS(2, 3, 67), FLOATS(2, 3, 67), ABSENT), .eps = 1e-5f),
    CASE_WITH((SAME_BITS), rms_norm_backward, INPUTS(FLOATS(90, 517), FLOATS(90, 517), WEIGHT(517)), .eps = 1e-5f),
    PERF(rms_norm_backward, INPUTS(FLOATS(2048, 1152), FLOATS(2048, 1152), FLOATS(1152)), .eps = 1e-6f),

    CASE(group_norm, INPUTS(FLOATS(2, 6, 3, 5), WEIGHT(6), WEIGHT(6)), .groups = 3, .eps = 1e-5f),
    CASE(group_norm, INPUTS(FLOATS(2, 6, 3, 5), ABSENT, ABSENT), .groups = 1, .eps = 1e-5f),
    CASE(group_norm, INPUTS(FLOATS(3, 8), WEIGHT(8), ABSENT), .groups = 2, .eps = 1e-5f),
    CASE(group_norm, INPUTS(FLOATS(2, 4, 7), ABSENT, WEIGHT(4)), .groups = 4, .eps = 1e-5f),
    CASE(group_norm, INPUTS(FLOATS(0, 4, 7), WEIGHT(4), WEIGHT(4)), .groups = 2, .eps = 1e-5f),
    CASE(group_norm, INPUTS(FLOATS(1, 8, 2, 33, 31), WEIGHT(8), WEIGHT(8)), .groups = 2, .eps = 1e-6f),
    CASE_WITH((.forward_only = true), group_norm, INPUTS(FLOATS(2, 6, 3, 5), WEIGHT(6), WEIGHT(6)), .groups = 3,
              .eps = 1e-5f, .activation = DIT_SILU),
    CASE_WITH((.forward_only = true), group_norm, INPUTS(FLOATS(1, 4, 67), WEIGHT(4), ABSENT), .groups = 2,
              .eps = 1e-5f, .activation = DIT_RELU),
    PERF(group_norm, INPUTS(FLOATS(1, 512, 64, 64), FLOATS(512), FLOATS(512)), .groups = 32, .eps = 1e-6f),
    PERF(group_norm, INPUTS(FLOATS(1, 128, 256, 256), FLOATS(128), FLOATS(128)), .groups = 32, .eps = 1e-6f),
    CASE_WITH((SAME_BITS), group_norm_backward, INPUTS(FLOATS(2, 6, 3, 5), FLOATS(2, 6, 3, 5), WEIGHT(6)), .groups = 3,
              .eps = 1e-5f),
    CASE_WITH((SAME_BITS), group_norm_backward, INPUTS(FLOATS(2, 6, 9), FLOATS(2, 6, 9), ABSENT), .groups = 2,
              .eps = 1e-5f),
    CASE_WITH((SAME_BITS), group_norm_backward, INPUTS(FLOATS(2, 8, 41, 31), FLOATS(2, 8, 41, 31), WEIGHT(8)),
              .groups = 2, .eps = 1e-5f),
    PERF(group_norm_backward, INPUTS(FLOATS(1, 512, 64, 64), FLOATS(1, 512, 64, 64), FLOATS(512)), .groups = 32,
         .eps = 1e-6f),

    CASE(norm_modulate, INPUTS(FLOATS(2, 3, 5), FLOATS(2, 1, 5), FLOATS(2, 1, 5)), .eps = 1e-6f),
    CASE(norm_modulate, INPUTS(FLOATS(2, 3, 67), FLOATS(67), FLOATS(2, 3, 67)), .eps = 1e-6f, .rms = true),
    CASE(norm_modulate, INPUTS(FLOATS(2, 3, 19), FLOATS(3, 1), FLOATS()), .eps = 1e-6f),
    CASE(norm_modulate, INPUTS(FLOATS(2, 20, 1153), FLOATS(2, 1, 1153), FLOATS(1153)), .eps = 1e-6f),
    CASE(norm_modulate, INPUTS(FLOATS(0, 3, 5), FLOATS(5), FLOATS(5)), .eps = 1e-6f),
    PERF(norm_modulate, INPUTS(FLOATS(2, 256, 1152), FLOATS(2, 1, 1152), FLOATS(2, 1, 1152)), .eps = 1e-6f),

    CASE(cross_entropy, INPUTS(FLOATS(6, 5), I64(0, 4, 6)), .ignored = -100),
    CASE(cross_entropy, INPUTS(FLOATS(40, 37), I32(-3, 40, 40)), .smoothing = 0.1f, .ignored = 7),
    CASE(cross_entropy, INPUTS(FLOATS_IN(-300, 300, 9, 21), I64(0, 20, 9)), .smoothing = 0.5f, .ignored = -1),
    CASE(cross_entropy, INPUTS(FLOATS(0, 5), I64(0, 4, 0)), .ignored = -100),
    CASE(cross_entropy, INPUTS(FLOATS(20, 1300), I64(0, 1299, 20)), .ignored = -100),
    PERF(cross_entropy, INPUTS(FLOATS(256, 32000), I64(0, 31999, 256)), .ignored = -100),
    CASE(cross_entropy_backward, INPUTS(FLOATS(6), FLOATS(6, 5), I64(0, 4, 6)), .ignored = -100),
    CASE(cross_entropy_backward, INPUTS(FLOATS(40), FLOATS(40, 37), I32(-3, 40, 40)), .smoothing = 0.1f, .ignored = 7),
    CASE(cross_entropy_backward, INPUTS(FLOATS(20), FLOATS(20, 1300), I64(0, 1299, 20)), .ignored = -100),
    PERF(cross_entropy_backward, INPUTS(FLOATS(256), FLOATS(256, 32000), I64(0, 31999, 256)), .ignored = -100),
    CASE_WITH((SAME_BITS), mse, INPUTS(FLOATS(3, 5), FLOATS(3, 5))),
    CASE_WITH((SAME_BITS), mse, INPUTS(FLOATS(), FLOATS())),
    CASE_WITH((SAME_BITS), mse, INPUTS(FLOATS(70, 1300), FLOATS(70, 1300))),
    PERF(mse, INPUTS(FLOATS(8, 4, 512, 512), FLOATS(8, 4, 512, 512))),
};

OP_CASES(norm)
