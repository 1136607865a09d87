// The matmul kernels: every pair of arrangements, broadcasting, storage formats of b.
#include "kernel_check.h"
#include <math.h>
#include <stdio.h>

static void check_shapes(dit_isa isa)
{
    static const int64_t ms[] = {1, 2, 13, 14, 15, 31, 50}, ns[] = {1, 7, 16, 31, 32, 33, 70},
                         ks[] = {1, 5, 16, 31, 100};
    static const lie lies[] = {DENSE, TRANSPOSED, GAPS};
    char what[80];
    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++)
        for (size_t j = 0; j < sizeof ns / sizeof *ns; j++)
            for (size_t p = 0; p < sizeof ks / sizeof *ks; p++)
                for (int l = 0; l < 9; l++) {
                    kernel_case c = {.op = DIT_OP_matmul,
                                     .inputs = 2,
                                     .in = {{.shape = DIT_SHAPE(ms[i], ks[p]), .lie = lies[l / 3]},
                                            {.shape = DIT_SHAPE(ks[p], ns[j]), .lie = lies[l % 3]}},
                                     .tolerance = tolerance_of_sum(ks[p]),
                                     .typical = sqrt((double)ks[p]) / 3};
                    snprintf(what, sizeof what, "m %ld n %ld k %ld lies %d", (long)ms[i], (long)ns[j], (long)ks[p], l);
                    check_kernel(isa, &c, what);
                }
}

static void every_small_shape_is_right(void **state)
{
    (void)state;
    for_every_isa(check_shapes);
}

static void check_batches(dit_isa isa)
{
    const struct {
        dit_shape a, b;
    } shapes[] = {
        {DIT_SHAPE(3, 5, 7), DIT_SHAPE(3, 7, 9)},
        {DIT_SHAPE(3, 5, 7), DIT_SHAPE(7, 9)},
        {DIT_SHAPE(5, 7), DIT_SHAPE(3, 7, 9)},
        {DIT_SHAPE(2, 3, 20, 33), DIT_SHAPE(2, 3, 33, 40)},
        {DIT_SHAPE(2, 1, 20, 33), DIT_SHAPE(3, 33, 40)},
        {DIT_SHAPE(2, 3, 20, 33), DIT_SHAPE(2, 1, 33, 40)},
        {DIT_SHAPE(4, 1, 2, 3, 5), DIT_SHAPE(1, 6, 1, 5, 4)},
        {DIT_SHAPE(2, 3, 1, 33), DIT_SHAPE(33, 40)},
        {DIT_SHAPE(2, 3, 4, 33), DIT_SHAPE(33, 1)},
        {DIT_SHAPE(2, 1, 5, 6, 7), DIT_SHAPE(2, 4, 1, 7, 33)},
        {DIT_SHAPE(0, 5, 7), DIT_SHAPE(7, 9)},
        {DIT_SHAPE(2, 5, 0), DIT_SHAPE(0, 9)},
    };
    static const lie lies[] = {DENSE, TRANSPOSED, GAPS, HEADS_OUT, REPEATED};
    char what[80];
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int l = 0; l < 25; l++) {
            lie la = lies[l / 5], lb = lies[l % 5];
            if ((la == REPEATED && shapes[i].a.dim[0] == 0) || (lb == REPEATED && shapes[i].b.dim[0] == 0))
                continue;
            kernel_case c = {.op = DIT_OP_matmul,
                             .inputs = 2,
                             .in = {{.shape = shapes[i].a, .lie = la}, {.shape = shapes[i].b, .lie = lb}},
                             .tolerance = tolerance_of_sum(shapes[i].a.dim[shapes[i].a.rank - 1]),
                             .typical = sqrt((double)shapes[i].a.dim[shapes[i].a.rank - 1]) / 3};
            snprintf(what, sizeof what, "shapes %zu lies %d", i, l);
            check_kernel(isa, &c, what);
        }
}

static void every_batch_is_right(void **state)
{
    (void)state;
    for_every_isa(check_batches);
}

static void check_formats(dit_isa isa)
{
    static const dit_dtype formats[] = {DIT_F32, DIT_F16, DIT_BF16};
    static const int64_t ms[] = {1, 12, 40};
    static const lie lies[] = {DENSE, TRANSPOSED, GAPS};
    for (int f = 0; f < 3; f++)
        for (int i = 0; i < 3; i++)
            for (int l = 0; l < 3; l++) {
                kernel_case c = {.op = DIT_OP_matmul,
                                 .inputs = 2,
                                 .in = {{.shape = DIT_SHAPE(ms[i], 45)},
                                        {.dtype = formats[f], .shape = DIT_SHAPE(45, 64), .lie = lies[l]}},
                                 .tolerance = tolerance_of_sum(45),
                                 .typical = sqrt((double)45) / 3};
                char what[80];
                snprintf(what, sizeof what, "%s m %ld lie %d", dit_dtype_name(formats[f]), (long)ms[i], l);
                check_kernel(isa, &c, what);
            }
}

static void every_format_of_b_is_right(void **state)
{
    (void)state;
    for_every_isa(check_formats);
}

// The gradient of a weight: both operands across, a long k in several passes.
static void check_weight_gradient(dit_isa isa)
{
    for (int64_t m = 1; m < 80; m += 39) {
        kernel_case c = {.op = DIT_OP_matmul,
                         .inputs = 2,
                         .in = {{.shape = DIT_SHAPE(m, 5003), .lie = TRANSPOSED}, {.shape = DIT_SHAPE(5003, 70)}},
                         .tolerance = tolerance_of_sum(5003),
                         .typical = sqrt((double)5003) / 3};
        check_kernel(isa, &c, "weight gradient");
    }
}

static void a_weight_gradient_is_right(void **state)
{
    (void)state;
    for_every_isa(check_weight_gradient);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_small_shape_is_right),
        cmocka_unit_test(every_batch_is_right),
        cmocka_unit_test(every_format_of_b_is_right),
        cmocka_unit_test(a_weight_gradient_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
