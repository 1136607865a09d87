// The linear kernels: shapes around every tile edge, all epilogues, storage formats, strided operands.
#include "kernel_check.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { X, WEIGHT, BIAS, GATE, RESIDUAL };

// x (m, k), weight (n, k), everything else absent.
static kernel_case case_of(const struct dit_linear_attributes *a, int64_t m, int64_t n, int64_t k)
{
    return (kernel_case){.op = DIT_OP_linear,
                         .attributes = a,
                         .inputs = 5,
                         .in = {[X] = {.shape = DIT_SHAPE(m, k)},
                                [WEIGHT] = {.shape = DIT_SHAPE(n, k)},
                                [BIAS] = {.shape = DIT_SHAPE(n), .lie = ABSENT},
                                [GATE] = {.shape = DIT_SHAPE(n), .lie = ABSENT},
                                [RESIDUAL] = {.shape = DIT_SHAPE(m, n), .lie = ABSENT}},
                         .tolerance = tolerance_of_sum(k),
                         .typical = sqrt((double)k) / 3};
}

static void check_shapes(dit_isa isa)
{
    static const int64_t ms[] = {1, 2, 3, 4, 5, 7, 13, 14, 15, 16, 17, 28, 29, 61, 200},
                         ns[] = {1, 2, 5, 8, 15, 16, 17, 31, 32, 33, 48, 65, 100},
                         ks[] = {1, 3, 4, 15, 16, 17, 33, 72, 129};
    struct dit_linear_attributes a = {DIT_NO_ACTIVATION};
    char what[80];
    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++)
        for (size_t j = 0; j < sizeof ns / sizeof *ns; j++)
            for (size_t p = 0; p < sizeof ks / sizeof *ks; p++) {
                kernel_case c = case_of(&a, ms[i], ns[j], ks[p]);
                c.in[BIAS].lie = (i + j + p) % 2 ? DENSE : ABSENT;
                snprintf(what, sizeof what, "m %ld n %ld k %ld", (long)ms[i], (long)ns[j], (long)ks[p]);
                check_kernel(isa, &c, what);
                if (ms[i] > 16) {
                    c.prepared = true;
                    check_kernel(isa, &c, what);
                }
            }
}

static void every_small_shape_is_right(void **state)
{
    (void)state;
    for_every_isa(check_shapes);
}

static void check_epilogues(dit_isa isa)
{
    static const int64_t ms[] = {3, 16, 50};
    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++)
        for (int activation = DIT_NO_ACTIVATION; activation <= DIT_RELU; activation++)
            for (int parts = 0; parts < 16; parts++) {
                struct dit_linear_attributes a = {(dit_activation)activation};
                kernel_case c = case_of(&a, ms[i], 70, 40);
                c.in[BIAS].lie = parts & 1 ? DENSE : ABSENT;
                c.in[GATE].lie = parts & 2 ? DENSE : ABSENT;
                c.in[RESIDUAL].lie = parts & 4 ? DENSE : ABSENT;
                c.prepared = parts & 8 && ms[i] > 16;
                char what[80];
                snprintf(what, sizeof what, "m %ld activation %d epilogue %d", (long)ms[i], activation, parts);
                check_kernel(isa, &c, what);
                c.in_place = parts & 4 ? 1 + RESIDUAL : 0;
                check_kernel(isa, &c, what);
            }
}

static void every_epilogue_is_right(void **state)
{
    (void)state;
    for_every_isa(check_epilogues);
}

static void check_formats(dit_isa isa)
{
    static const dit_dtype formats[] = {DIT_F32, DIT_F16, DIT_BF16};
    static const int64_t ms[] = {1, 4, 7, 40};
    struct dit_linear_attributes a = {DIT_SILU};
    for (size_t f = 0; f < 3; f++)
        for (size_t i = 0; i < 4; i++)
            for (int prepared = 0; prepared <= (ms[i] > 16); prepared++) {
                kernel_case c = case_of(&a, ms[i], 75, 83);
                c.in[WEIGHT].dtype = formats[f];
                c.prepared = prepared;
                char what[80];
                snprintf(what, sizeof what, "%s m %ld prepared %d", dit_dtype_name(formats[f]), (long)ms[i], prepared);
                check_kernel(isa, &c, what);
                c.in[WEIGHT].lie = GAPS;
                check_kernel(isa, &c, what);
            }
}

static void every_weight_format_is_right(void **state)
{
    (void)state;
    for_every_isa(check_formats);
}

// f16 has numbers that need care: subnormals, the largest, infinity.
static double awkward(int input, int64_t i, double value)
{
    static const double values[] = {0x1p-24, -0x1.8p-15, 0x1p-14, 65504, -65504, 0, -0x1.ffcp-15};
    return input == WEIGHT ? values[i % 7] : value;
}

static void check_awkward(dit_isa isa)
{
    struct dit_linear_attributes a = {DIT_NO_ACTIVATION};
    for (int64_t k = 1; k < 40; k += 19) {
        kernel_case c = case_of(&a, 20, 33, k);
        c.in[WEIGHT].dtype = DIT_F16;
        c.adjust = awkward;
        check_kernel(isa, &c, "awkward f16");
        c.prepared = true;
        check_kernel(isa, &c, "awkward f16, prepared");
    }
}

static void awkward_f16_weights_are_right(void **state)
{
    (void)state;
    for_every_isa(check_awkward);
}

// Rows of more axes, each operand with its own strides, gates of every form that fusion makes.
static void check_axes(dit_isa isa)
{
    static const lie lies[] = {DENSE, GAPS, REPEATED, HEADS_OUT};
    const dit_shape gates[] = {DIT_SHAPE(37), DIT_SHAPE(3, 1, 1, 37), DIT_SHAPE(3, 4, 1, 37), DIT_SHAPE(1, 1, 1, 37),
                               DIT_SHAPE(1, 4, 1, 37)};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 4; j++)
            for (size_t p = 0; p < 5; p++) {
                struct dit_linear_attributes a = {p % 2 ? DIT_GELU_TANH : DIT_NO_ACTIVATION};
                kernel_case c = case_of(&a, 1, 37, 29);
                c.in[X] = (operand){.shape = DIT_SHAPE(3, 4, 5, 29), .lie = lies[i]};
                c.in[GATE] = (operand){.shape = gates[p], .lie = i % 2 ? GAPS : DENSE};
                c.in[RESIDUAL] = (operand){.shape = DIT_SHAPE(3, 4, 5, 37), .lie = lies[j]};
                char what[80];
                snprintf(what, sizeof what, "lies %zu %zu gate %zu", i, j, p);
                check_kernel(isa, &c, what);
            }
}

static void every_arrangement_of_rows_is_right(void **state)
{
    (void)state;
    for_every_isa(check_axes);
}

// k beyond one pass, with and without a residual that c cannot share; many rows; nothing at all.
static void check_extremes(dit_isa isa)
{
    struct dit_linear_attributes a = {DIT_GELU_TANH};
    for (int in_place = 0; in_place <= 1; in_place++) {
        kernel_case c = case_of(&a, 40, 35, 9300);
        c.in[BIAS].lie = DENSE;
        c.in[GATE].lie = DENSE;
        c.in[RESIDUAL].lie = DENSE;
        c.in_place = in_place ? 1 + RESIDUAL : 0;
        check_kernel(isa, &c, "long k");
        c.prepared = true;
        check_kernel(isa, &c, "long k, prepared");
        c.in[RESIDUAL].lie = ABSENT;
        c.in_place = 0;
        check_kernel(isa, &c, "long k, prepared, no residual");
    }
    kernel_case c = case_of(&a, 1031, 97, 64);
    check_kernel(isa, &c, "many rows");
    c.prepared = true;
    check_kernel(isa, &c, "many rows, prepared");
    c = case_of(&a, 1, 1000, 515);
    check_kernel(isa, &c, "one row");
    c = case_of(&a, 0, 12, 8);
    check_kernel(isa, &c, "no rows");
    a.activation = DIT_NO_ACTIVATION;
    c = case_of(&a, 5, 12, 0);
    c.in[BIAS].lie = DENSE;
    check_kernel(isa, &c, "no columns");
}

static void extremes_are_right(void **state)
{
    (void)state;
    for_every_isa(check_extremes);
}

static void check_not_finite(dit_isa isa)
{
    struct dit_linear_attributes a = {DIT_NO_ACTIVATION};
    const dit_kernel *kernel = dit_cpu_kernel_of(isa, DIT_OP_linear);
    float x[20 * 9], weight[40 * 9], y[20 * 40];
    for (int i = 0; i < 20 * 9; i++)
        x[i] = 1;
    for (int i = 0; i < 40 * 9; i++)
        weight[i] = 1;
    x[3 * 9 + 2] = INFINITY;
    weight[7 * 9 + 1] = NAN;
    dit_view in[3] = {{.dtype = DIT_F32, .shape = DIT_SHAPE(20, 9), .stride = {9, 1}, .data = x},
                      {.dtype = DIT_F32, .shape = DIT_SHAPE(40, 9), .stride = {9, 1}, .data = weight},
                      {.dtype = DIT_DTYPES}};
    dit_view out = {.dtype = DIT_F32, .shape = DIT_SHAPE(20, 40), .stride = {40, 1}, .data = y};
    dit_op_call call = {.inputs = 3, .outputs = 1, .in = in, .out = &out, .attributes = &a};
    void *workspace = NULL;
    assert_int_equal(posix_memalign(&workspace, 64, kernel->workspace(&call) + 64), 0);
    call.workspace = workspace;
    kernel->run(&call);
    for (int i = 0; i < 20; i++)
        for (int j = 0; j < 40; j++) {
            if (j == 7)
                assert_true(isnan(y[i * 40 + j]));
            else
                assert_true(y[i * 40 + j] == (i == 3 ? INFINITY : 9.0f));
        }
    free(workspace);
}

static void what_is_not_finite_spreads_to_its_row_and_column_only(void **state)
{
    (void)state;
    for_every_isa(check_not_finite);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_small_shape_is_right),
        cmocka_unit_test(every_epilogue_is_right),
        cmocka_unit_test(every_weight_format_is_right),
        cmocka_unit_test(awkward_f16_weights_are_right),
        cmocka_unit_test(every_arrangement_of_rows_is_right),
        cmocka_unit_test(extremes_are_right),
        cmocka_unit_test(what_is_not_finite_spreads_to_its_row_and_column_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
