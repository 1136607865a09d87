// The convolution kernels: one to three axes, every option, sizes around tiles, panels and vectors.
#include "graph/ops.h"
#include "kernel_check.h"
#include <math.h>
#include <stdio.h>

typedef struct geometry {
    int64_t B, C, O; // channels of all groups
    int groups, axes;
    int64_t in[3], kernel[3];
    int stride[3], padding[3], dilation[3], output_padding[3];
} geometry;

static const geometry geometries[] = {
    {1, 1, 1, 1, 1, {1}, {1}, {1}, {0}, {1}, {0}},
    {2, 3, 5, 1, 1, {37}, {3}, {1}, {1}, {1}, {0}},
    {1, 4, 6, 2, 1, {50}, {5}, {3}, {2}, {2}, {1}},
    {2, 20, 33, 1, 2, {9, 40}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {0}},
    {1, 16, 15, 1, 2, {32, 32}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {0}},
    {1, 7, 40, 1, 2, {8, 8}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {0}},
    {3, 4, 48, 1, 2, {16, 24}, {2, 2}, {2, 2}, {0, 0}, {1, 1}, {0}},
    {1, 3, 20, 1, 2, {33, 65}, {4, 4}, {4, 4}, {0, 0}, {1, 1}, {0}},
    {2, 6, 9, 3, 2, {12, 17}, {3, 2}, {2, 3}, {1, 2}, {1, 1}, {1, 2}},
    {1, 5, 4, 1, 2, {19, 23}, {3, 3}, {1, 2}, {4, 3}, {2, 3}, {0, 1}},
    {1, 5, 4, 1, 2, {19, 23}, {3, 3}, {2, 4}, {2, 3}, {4, 2}, {1, 3}},
    {2, 30, 17, 1, 2, {7, 11}, {1, 1}, {1, 1}, {0, 0}, {1, 1}, {0}},
    {2, 8, 17, 1, 2, {7, 11}, {1, 1}, {2, 2}, {0, 0}, {1, 1}, {1, 1}},
    {1, 8, 8, 1, 2, {5, 6}, {5, 6}, {1, 1}, {0, 0}, {1, 1}, {0}},
    {1, 2, 3, 1, 2, {2, 2}, {5, 5}, {1, 1}, {2, 2}, {1, 1}, {0}},
    {1, 12, 12, 12, 2, {14, 33}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {0}},
    {2, 5, 5, 5, 2, {13, 9}, {5, 3}, {2, 3}, {2, 1}, {1, 2}, {1, 0}},
    {1, 300, 3, 1, 2, {12, 12}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {0}},
    {1, 200, 40, 1, 2, {10, 37}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, {0}},
    {1, 3, 8, 1, 3, {5, 6, 18}, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0}},
    {2, 4, 6, 2, 3, {5, 7, 9}, {2, 3, 2}, {2, 1, 3}, {1, 2, 0}, {1, 2, 1}, {1, 0, 2}},
    {1, 4, 4, 4, 3, {4, 5, 6}, {3, 1, 3}, {1, 2, 1}, {1, 0, 1}, {1, 1, 1}, {0}},
    {0, 2, 3, 1, 1, {9}, {3}, {1}, {1}, {1}, {0}},
};

static dit_window window_of(const geometry *g)
{
    dit_window w = {.axes = g->axes, .groups = g->groups};
    for (int i = 0; i < g->axes; i++) {
        w.stride[i] = g->stride[i];
        w.padding[i] = g->padding[i];
        w.dilation[i] = g->dilation[i];
        w.output_padding[i] = g->output_padding[i];
    }
    return w;
}

static dit_shape shape_of(int64_t first, int64_t second, const int64_t *rest, int axes)
{
    dit_shape s = DIT_SHAPE(first, second);
    for (int i = 0; i < axes; i++)
        s.dim[s.rank++] = rest[i];
    return s;
}

static dit_shape output_of(const geometry *g, const dit_window *w)
{
    struct dit_conv_attributes a = {.window = *w};
    dit_view in[3] = {{.dtype = DIT_F32, .shape = shape_of(g->B, g->C, g->in, g->axes)},
                      {.dtype = DIT_F32, .shape = shape_of(g->O, g->C / g->groups, g->kernel, g->axes)},
                      {.dtype = DIT_DTYPES}},
             out = {0};
    dit_op_call call = {.inputs = 3, .outputs = 1, .in = in, .out = &out, .attributes = &a};
    assert_int_equal(dit_op_conv.shape(&call, NULL), DIT_OK);
    return out.shape;
}

static int64_t count_of(const int64_t *extent, int axes)
{
    int64_t n = 1;
    for (int i = 0; i < axes; i++)
        n *= extent[i];
    return n;
}

static void check_all(dit_isa isa)
{
    for (size_t i = 0; i < sizeof geometries / sizeof *geometries; i++) {
        const geometry *g = &geometries[i];
        dit_window w = window_of(g);
        dit_shape x = shape_of(g->B, g->C, g->in, g->axes), y = output_of(g, &w),
                  weight = shape_of(g->O, g->C / g->groups, g->kernel, g->axes);
        int64_t taps = count_of(g->kernel, g->axes), positions = g->B * count_of(y.dim + 2, g->axes);
        char what[40];
        snprintf(what, sizeof what, "geometry %zu", i);

        for (int biased = 0; biased <= 1; biased++) {
            int64_t k = g->C / g->groups * taps;
            kernel_case c = {
                .op = DIT_OP_conv,
                .attributes = &(struct dit_conv_attributes){.window = w},
                .inputs = 3,
                .in = {{.shape = x}, {.shape = weight}, {.shape = DIT_SHAPE(g->O), .lie = biased ? DENSE : ABSENT}},
                .tolerance = tolerance_of_sum(k),
                .typical = sqrt((double)k) / 3};
            check_kernel(isa, &c, what);
        }
        kernel_case input = {.op = DIT_OP_conv_backward_input,
                             .attributes = &(struct dit_conv_backward_input_attributes){x, w},
                             .inputs = 2,
                             .in = {{.shape = y}, {.shape = weight}},
                             .tolerance = tolerance_of_sum(g->O / g->groups * taps),
                             .typical = 0.5};
        check_kernel(isa, &input, what);
        kernel_case by_weight = {.op = DIT_OP_conv_backward_weight,
                                 .attributes = &(struct dit_conv_backward_weight_attributes){weight, w},
                                 .inputs = 2,
                                 .in = {{.shape = y}, {.shape = x}},
                                 .tolerance = tolerance_of_sum(positions),
                                 .typical = sqrt((double)positions) / 3};
        check_kernel(isa, &by_weight, what);
        // A transposed convolution of x with the weight turned around: C of x is its first axis.
        dit_shape turned = shape_of(g->C, g->O / g->groups, g->kernel, g->axes);
        for (int biased = 0; biased <= 1; biased++) {
            kernel_case c = {
                .op = DIT_OP_conv_transpose,
                .attributes = &(struct dit_conv_transpose_attributes){w},
                .inputs = 3,
                .in = {{.shape = x}, {.shape = turned}, {.shape = DIT_SHAPE(g->O), .lie = biased ? DENSE : ABSENT}},
                .tolerance = tolerance_of_sum(g->C / g->groups * taps),
                .typical = 0.5};
            bool possible = true;
            for (int axis = 0; axis < g->axes; axis++)
                possible &= (g->in[axis] - 1) * g->stride[axis] + g->dilation[axis] * (g->kernel[axis] - 1) + 1 +
                                g->output_padding[axis] - 2 * g->padding[axis] >=
                            1;
            if (possible)
                check_kernel(isa, &c, what);
        }
    }
}

static void every_convolution_and_gradient_is_right(void **state)
{
    (void)state;
    for_every_isa(check_all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_convolution_and_gradient_is_right)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
