// tests/graph/op_test/cases_convolution.c: convolutions over one to three axes: strides, paddings, dilations, groups.
#include "graph/op_test/case.h"

#define WINDOW(AXES, ...) .window = {.axes = AXES, __VA_ARGS__}
#define LONG_SUMS .tolerance = 2e-6f, .why = "sums of hundreds of products of either sign"
// Windows that forward and backward cases share.
#define ONE_AXIS WINDOW(1, .stride = {2}, .padding = {1}, .dilation = {2}, .groups = 1)
#define PLAIN WINDOW(2, .stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1)
#define STRIDED WINDOW(2, .stride = {2, 3}, .padding = {1, 2}, .dilation = {2, 1}, .groups = 1)
#define GROUPED WINDOW(2, .stride = {1, 2}, .padding = {1, 0}, .dilation = {1, 1}, .groups = 2)
#define DEPTHWISE WINDOW(2, .stride = {1, 1}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 6)
#define VOLUME WINDOW(3, .stride = {1, 2, 1}, .padding = {1, 1, 0}, .dilation = {1, 1, 2}, .groups = 1)

static const op_case cases[] = {
    CASE(conv, INPUTS(FLOATS(2, 3, 11), WEIGHT(4, 3, 3), WEIGHT(4)), ONE_AXIS),
    CASE(conv, INPUTS(FLOATS(2, 3, 5, 6), WEIGHT(4, 3, 3, 3), WEIGHT(4)), PLAIN),
    CASE(conv, INPUTS(FLOATS(1, 2, 9, 11), WEIGHT(3, 2, 3, 4), ABSENT), STRIDED),
    CASE(conv, INPUTS(FLOATS(1, 4, 5, 7), WEIGHT(6, 2, 3, 3), WEIGHT(6)), GROUPED),
    CASE(conv, INPUTS(FLOATS(1, 6, 5, 7), WEIGHT(6, 1, 3, 3), WEIGHT(6)), DEPTHWISE),
    CASE(conv, INPUTS(FLOATS(2, 2, 3, 5, 6), WEIGHT(3, 2, 2, 3, 2), WEIGHT(3)), VOLUME),
    CASE(conv, INPUTS(FLOATS(2, 5, 4, 3), WEIGHT(7, 5, 1, 1), ABSENT),
         WINDOW(2, .stride = {1, 1}, .dilation = {1, 1}, .groups = 1)),
    CASE(conv, INPUTS(FLOATS(2, 4, 8, 8), WEIGHT(9, 4, 2, 2), WEIGHT(9)),
         WINDOW(2, .stride = {2, 2}, .dilation = {1, 1}, .groups = 1)),
    CASE_WITH((LONG_SUMS), conv, INPUTS(FLOATS(1, 37, 14, 19), WEIGHT(41, 37, 3, 3), WEIGHT(41)), PLAIN),
    // As few channels and pixels as minimal filtering takes; sides that are no multiples of its tiles.
    CASE_WITH((LONG_SUMS), conv, INPUTS(FLOATS(2, 16, 16, 16), WEIGHT(3, 16, 3, 3), ABSENT), PLAIN),
    CASE_WITH((LONG_SUMS), conv, INPUTS(FLOATS(2, 21, 17, 35), WEIGHT(30, 21, 3, 3), WEIGHT(30)),
              WINDOW(2, .stride = {1, 1}, .dilation = {1, 1}, .groups = 1)),
    CASE_WITH((LONG_SUMS), conv, INPUTS(FLOATS(1, 17, 9, 70), WEIGHT(15, 17, 3, 3), WEIGHT(15)),
              WINDOW(2, .stride = {1, 1}, .padding = {3, 2}, .dilation = {1, 1}, .groups = 1)),

    // What fusion makes: activations, residuals, doubled pictures.
    CASE_WITH((.forward_only = true), conv,
              INPUTS(FLOATS(2, 3, 5, 6), WEIGHT(4, 3, 3, 3), WEIGHT(4), FIXED(-2, 2, 2, 4, 5, 6)), PLAIN,
              .activation = DIT_SILU),
    CASE_WITH((.forward_only = true), conv,
              INPUTS(FLOATS(1, 4, 6, 7), WEIGHT(6, 2, 3, 3), WEIGHT(6), FIXED(-2, 2, 1, 6, 6, 3)), GROUPED),
    CASE_WITH((.forward_only = true), conv,
              INPUTS(FLOATS(2, 5, 4, 3), WEIGHT(7, 5, 1, 1), ABSENT, FIXED(-2, 2, 2, 7, 4, 3)),
              WINDOW(2, .stride = {1, 1}, .dilation = {1, 1}, .groups = 1), .activation = DIT_RELU),
    CASE_WITH((.forward_only = true), conv, INPUTS(FLOATS(1, 6, 5, 7), WEIGHT(6, 1, 3, 3), WEIGHT(6)), DEPTHWISE,
              .activation = DIT_GELU_ERF),
    CASE_WITH((.forward_only = true), conv, INPUTS(FLOATS(1, 6, 5, 7), WEIGHT(6, 1, 3, 3), WEIGHT(6)), DEPTHWISE,
              .doubled = true),
    CASE_WITH((.forward_only = true), conv,
              INPUTS(FLOATS(2, 3, 4, 5), WEIGHT(4, 3, 3, 3), ABSENT, FIXED(-2, 2, 2, 4, 8, 10)), PLAIN,
              .doubled = true),
    CASE_WITH((.forward_only = true, LONG_SUMS), conv,
              INPUTS(FLOATS(2, 20, 17, 33), WEIGHT(31, 20, 3, 3), WEIGHT(31), FIXED(-2, 2, 2, 31, 17, 33)), PLAIN,
              .activation = DIT_SILU),
    CASE_WITH((.forward_only = true, LONG_SUMS), conv,
              INPUTS(FLOATS(2, 19, 9, 37), WEIGHT(31, 19, 3, 3), WEIGHT(31), FIXED(-2, 2, 2, 31, 18, 74)), PLAIN,
              .doubled = true),
    CASE_WITH((.forward_only = true, LONG_SUMS), conv, INPUTS(FLOATS(1, 18, 10, 8), WEIGHT(16, 18, 3, 3), ABSENT),
              PLAIN, .doubled = true, .activation = DIT_GELU_TANH),
    // A sum of several passes, whose parts wait in the workspace since the result's place may be the residual's.
    CASE_WITH((.forward_only = true, LONG_SUMS), conv,
              INPUTS(FLOATS(2, 192, 2, 3), WEIGHT(3, 192, 3, 3), WEIGHT(3), FIXED(-2, 2, 2, 3, 2, 3)), PLAIN),

    CASE(conv_backward_input, INPUTS(FLOATS(2, 4, 5), WEIGHT(4, 3, 3)), .x = OP_SHAPE(2, 3, 11), ONE_AXIS),
    CASE(conv_backward_input, INPUTS(FLOATS(2, 4, 5, 6), WEIGHT(4, 3, 3, 3)), .x = OP_SHAPE(2, 3, 5, 6), PLAIN),
    CASE(conv_backward_input, INPUTS(FLOATS(1, 3, 4, 4), WEIGHT(3, 2, 3, 4)), .x = OP_SHAPE(1, 2, 9, 11), STRIDED),
    CASE(conv_backward_input, INPUTS(FLOATS(1, 6, 5, 3), WEIGHT(6, 2, 3, 3)), .x = OP_SHAPE(1, 4, 5, 7), GROUPED),
    CASE(conv_backward_input, INPUTS(FLOATS(1, 6, 5, 7), WEIGHT(6, 1, 3, 3)), .x = OP_SHAPE(1, 6, 5, 7), DEPTHWISE),
    CASE(conv_backward_input, INPUTS(FLOATS(2, 3, 4, 3, 4), WEIGHT(3, 2, 2, 3, 2)), .x = OP_SHAPE(2, 2, 3, 5, 6),
         VOLUME),
    CASE_WITH((LONG_SUMS), conv_backward_input, INPUTS(FLOATS(1, 41, 14, 19), WEIGHT(41, 37, 3, 3)),
              .x = OP_SHAPE(1, 37, 14, 19), PLAIN),

    CASE(conv_backward_weight, INPUTS(FLOATS(2, 4, 5), FLOATS(2, 3, 11)), .weight = OP_SHAPE(4, 3, 3), ONE_AXIS),
    CASE(conv_backward_weight, INPUTS(FLOATS(2, 4, 5, 6), FLOATS(2, 3, 5, 6)), .weight = OP_SHAPE(4, 3, 3, 3), PLAIN),
    CASE(conv_backward_weight, INPUTS(FLOATS(1, 3, 4, 4), FLOATS(1, 2, 9, 11)), .weight = OP_SHAPE(3, 2, 3, 4),
         STRIDED),
    CASE(conv_backward_weight, INPUTS(FLOATS(1, 6, 5, 3), FLOATS(1, 4, 5, 7)), .weight = OP_SHAPE(6, 2, 3, 3), GROUPED),
    CASE(conv_backward_weight, INPUTS(FLOATS(1, 6, 5, 7), FLOATS(1, 6, 5, 7)), .weight = OP_SHAPE(6, 1, 3, 3),
         DEPTHWISE),
    CASE(conv_backward_weight, INPUTS(FLOATS(2, 3, 4, 3, 4), FLOATS(2, 2, 3, 5, 6)), .weight = OP_SHAPE(3, 2, 2, 3, 2),
         VOLUME),
    CASE_WITH((LONG_SUMS), conv_backward_weight, INPUTS(FLOATS(1, 41, 14, 19), FLOATS(1, 37, 14, 19)),
              .weight = OP_SHAPE(41, 37, 3, 3), PLAIN),

    CASE(conv_transpose, INPUTS(FLOATS(2, 4, 5), WEIGHT(4, 3, 4), WEIGHT(3)),
         WINDOW(1, .stride = {2}, .padding = {1}, .dilation = {1}, .groups = 1)),
    CASE(conv_transpose, INPUTS(FLOATS(1, 3, 4, 5), WEIGHT(3, 2, 3, 3), WEIGHT(2)),
         WINDOW(2, .stride = {2, 3}, .padding = {1, 0}, .dilation = {1, 2}, .output_padding = {1, 2}, .groups = 1)),
    CASE(conv_transpose, INPUTS(FLOATS(1, 4, 3, 5), WEIGHT(4, 3, 2, 2), ABSENT),
         WINDOW(2, .stride = {2, 2}, .dilation = {1, 1}, .groups = 2)),
    CASE_WITH((LONG_SUMS), conv_transpose, INPUTS(FLOATS(1, 33, 9, 11), WEIGHT(33, 35, 4, 4), WEIGHT(35)),
              WINDOW(2, .stride = {2, 2}, .padding = {1, 1}, .dilation = {1, 1}, .groups = 1)),

    PERF(conv, INPUTS(FLOATS(1, 128, 256, 256), WEIGHT(128, 128, 3, 3), WEIGHT(128)), PLAIN),
    PERF(conv, INPUTS(FLOATS(1, 512, 64, 64), WEIGHT(512, 512, 3, 3), WEIGHT(512)), PLAIN),
    PERF(conv_backward_input, INPUTS(FLOATS(1, 128, 128, 128), WEIGHT(128, 128, 3, 3)), .x = OP_SHAPE(1, 128, 128, 128),
         PLAIN),
    PERF(conv_backward_weight, INPUTS(FLOATS(1, 128, 128, 128), FLOATS(1, 128, 128, 128)),
         .weight = OP_SHAPE(128, 128, 3, 3), PLAIN),
};

OP_CASES(convolution)
