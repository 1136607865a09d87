// What op_test's random values do not reach, on every instruction set that the machine has: NaN, overflow, every
// half-precision number, long sums, thread counts.
#include "backend/cpu/cpu.h"
#include "check.h"
#include <float.h>
#include <limits.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

// Runs one kernel of up to two dense inputs.
static void run(dit_isa isa, dit_op_id op, dit_array a, dit_array b, dit_array y, const void *attributes)
{
    dit_view in[2] = {dit_view_of(&a), dit_view_of(&b)}, out[1] = {dit_view_of(&y)};
    dit_op_call call = {b.data ? 2 : 1, 1, in, out, attributes, NULL, NULL};
    const dit_kernel *kernel = dit_cpu_kernel_of(isa, op);
    assert_non_null(kernel);
    size_t bytes = kernel->workspace ? kernel->workspace(&call) : 0;
    call.workspace = aligned_alloc(64, (bytes + 64) / 64 * 64);
    assert_non_null(call.workspace);
    kernel->run(&call);
    free(call.workspace);
}

#define NOTHING ((dit_array){.data = NULL})
#define VECTOR(DTYPE, DATA) ((dit_array){DTYPE, DIT_SHAPE((int64_t)(sizeof(DATA) / sizeof *(DATA))), DATA})
#define FOR_EVERY_ISA(isa)                                                                                             \
    for (dit_isa isa = DIT_PORTABLE; isa < DIT_ISAS; isa++)                                                            \
        if (dit_cpu_has(isa))

static void maximum_and_minimum_propagate_nan(void **state)
{
    (void)state;
    enum { N = 40 };
    float a[N], b[N], y[N];
    FOR_EVERY_ISA(isa)
    for (int at = 0; at < N; at++)
        for (int which = 0; which < 2; which++) {
            for (int i = 0; i < N; i++) {
                a[i] = (float)i;
                b[i] = 20;
            }
            (which ? a : b)[at] = NAN;
            run(isa, DIT_OP_maximum, VECTOR(DIT_F32, a), VECTOR(DIT_F32, b), VECTOR(DIT_F32, y), NULL);
            for (int i = 0; i < N; i++)
                assert_true(i == at ? isnan(y[i]) : y[i] == (float)(i > 20 ? i : 20));
            run(isa, DIT_OP_minimum, VECTOR(DIT_F32, a), VECTOR(DIT_F32, b), VECTOR(DIT_F32, y), NULL);
            for (int i = 0; i < N; i++)
                assert_true(i == at ? isnan(y[i]) : y[i] == (float)(i < 20 ? i : 20));
        }
}

static void relu_and_clamp_keep_nan(void **state)
{
    (void)state;
    float x[19], y[19];
    struct dit_clamp_attributes clamp = {-1, 1};
    FOR_EVERY_ISA(isa)
    {
        for (int i = 0; i < 19; i++)
            x[i] = i % 3 == 0 ? NAN : i % 3 == 1 ? -INFINITY : INFINITY;
        run(isa, DIT_OP_relu, VECTOR(DIT_F32, x), NOTHING, VECTOR(DIT_F32, y), NULL);
        for (int i = 0; i < 19; i++)
            assert_true(i % 3 == 0 ? isnan(y[i]) : y[i] == (i % 3 == 1 ? 0 : INFINITY));
        run(isa, DIT_OP_clamp, VECTOR(DIT_F32, x), NOTHING, VECTOR(DIT_F32, y), &clamp);
        for (int i = 0; i < 19; i++)
            assert_true(i % 3 == 0 ? isnan(y[i]) : y[i] == (i % 3 == 1 ? -1 : 1));
    }
}

// A NaN anywhere, along contiguous rows and across them.
static void amax_propagates_nan(void **state)
{
    (void)state;
    enum { ROWS = 5, C = 150 };
    float x[ROWS * C], y[C];
    FOR_EVERY_ISA(isa)
    for (int at = 0; at < ROWS * C; at += 7) {
        for (int i = 0; i < ROWS * C; i++)
            x[i] = -(float)(i % 11);
        x[at] = NAN;
        dit_array matrix = {DIT_F32, DIT_SHAPE(ROWS, C), x};
        run(isa, DIT_OP_amax, matrix, NOTHING, (dit_array){DIT_F32, DIT_SHAPE(ROWS), y},
            &(struct dit_amax_attributes){.axes = 2});
        for (int r = 0; r < ROWS; r++)
            assert_true(r == at / C ? isnan(y[r]) : y[r] == 0);
        run(isa, DIT_OP_amax, matrix, NOTHING, (dit_array){DIT_F32, DIT_SHAPE(C), y},
            &(struct dit_amax_attributes){.axes = 1});
        for (int c = 0; c < C; c++)
            assert_true((c == at % C) == (bool)isnan(y[c]));
    }
}

static void nan_and_masked_rows_of_softmax(void **state)
{
    (void)state;
    enum { N = 70 };
    float x[N], y[N];
    struct dit_softmax_attributes axis = {0};
    FOR_EVERY_ISA(isa)
    {
        for (int i = 0; i < N; i++)
            x[i] = i < N / 2 ? -INFINITY : 3;
        run(isa, DIT_OP_softmax, VECTOR(DIT_F32, x), NOTHING, VECTOR(DIT_F32, y), &axis);
        for (int i = 0; i < N; i++)
            assert_true(i < N / 2 ? y[i] == 0 : fabsf(y[i] - 2.0f / N) <= 1e-8f);
        x[N - 1] = NAN;
        run(isa, DIT_OP_softmax, VECTOR(DIT_F32, x), NOTHING, VECTOR(DIT_F32, y), &axis);
        for (int i = 0; i < N; i++)
            assert_true(isnan(y[i]));
    }
}

static void integers_wrap_around(void **state)
{
    (void)state;
    int32_t a[] = {INT32_MAX, INT32_MIN, -7, 65536}, b[] = {1, -1, 3, 65537}, y[4];
    int64_t c[] = {INT64_MAX, INT64_MIN, -7, (int64_t)1 << 32}, d[] = {1, -1, 3, ((int64_t)1 << 32) + 1}, z[4];
    FOR_EVERY_ISA(isa)
    {
        run(isa, DIT_OP_add, VECTOR(DIT_I32, a), VECTOR(DIT_I32, b), VECTOR(DIT_I32, y), NULL);
        assert_true(y[0] == INT32_MIN && y[1] == INT32_MAX && y[2] == -4 && y[3] == 131073);
        run(isa, DIT_OP_mul, VECTOR(DIT_I32, a), VECTOR(DIT_I32, b), VECTOR(DIT_I32, y), NULL);
        assert_true(y[0] == INT32_MAX && y[1] == INT32_MIN && y[2] == -21 && y[3] == 65536);
        run(isa, DIT_OP_sub, VECTOR(DIT_I64, c), VECTOR(DIT_I64, d), VECTOR(DIT_I64, z), NULL);
        assert_true(z[0] == INT64_MAX - 1 && z[1] == INT64_MIN + 1 && z[2] == -10 && z[3] == -1);
        run(isa, DIT_OP_mul, VECTOR(DIT_I64, c), VECTOR(DIT_I64, d), VECTOR(DIT_I64, z), NULL);
        assert_true(z[0] == INT64_MAX && z[1] == INT64_MIN && z[2] == -21 && z[3] == (int64_t)1 << 32);
    }
}

static void casts_to_integers_saturate(void **state)
{
    (void)state;
    float x[] = {NAN,   INFINITY, -INFINITY, 0x1p31f, -0x1p31f, 2147483520.0f,
                 -1.9f, 255.9f,   256,       -0.5f,   FLT_MAX,  0x1p63f};
    const int32_t want32[] = {0,  INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN, 2147483520,
                              -1, 255,       256,       0,         INT32_MAX, INT32_MAX};
    const int64_t want64[] = {0,   INT64_MAX, INT64_MIN, (int64_t)1 << 31, -((int64_t)1 << 31), 2147483520, -1, 255,
                              256, 0,         INT64_MAX, INT64_MAX};
    const uint8_t want8[] = {0, 255, 0, 255, 0, 255, 0, 255, 255, 0, 255, 255};
    const uint8_t want1[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    int64_t wide[] = {-1, 256, (int64_t)1 << 32, ((int64_t)1 << 33) + 5};
    int32_t y32[12];
    int64_t y64[12];
    uint8_t y8[12];
    FOR_EVERY_ISA(isa)
    {
        run(isa, DIT_OP_cast, VECTOR(DIT_F32, x), NOTHING, VECTOR(DIT_I32, y32), NULL);
        assert_memory_equal(y32, want32, sizeof want32);
        run(isa, DIT_OP_cast, VECTOR(DIT_F32, x), NOTHING, VECTOR(DIT_I64, y64), NULL);
        assert_memory_equal(y64, want64, sizeof want64);
        run(isa, DIT_OP_cast, VECTOR(DIT_F32, x), NOTHING, VECTOR(DIT_U8, y8), NULL);
        assert_memory_equal(y8, want8, sizeof want8);
        run(isa, DIT_OP_cast, VECTOR(DIT_F32, x), NOTHING, VECTOR(DIT_BOOL, y8), NULL);
        assert_memory_equal(y8, want1, sizeof want1);
        run(isa, DIT_OP_cast, VECTOR(DIT_I64, wide), NOTHING, (dit_array){DIT_I32, DIT_SHAPE(4), y32}, NULL);
        assert_true(y32[0] == -1 && y32[1] == 256 && y32[2] == 0 && y32[3] == 5);
        run(isa, DIT_OP_cast, VECTOR(DIT_I64, wide), NOTHING, (dit_array){DIT_U8, DIT_SHAPE(4), y8}, NULL);
        assert_true(y8[0] == 255 && y8[1] == 0 && y8[2] == 0 && y8[3] == 5);
    }
}

// Every f16 and bf16 to f32, and back from itself and from just below, at and just above the middle to the next one.
static void every_half_converts_as_the_scalar_code_does(void **state)
{
    (void)state;
    enum { HALVES = 1 << 16, AROUND = 4 };
    uint16_t *half = malloc(HALVES * sizeof *half), *rounded = malloc(HALVES * sizeof *rounded);
    float *wide = malloc(HALVES * sizeof *wide);
    assert_true(half && rounded && wide);
    for (int i = 0; i < HALVES; i++)
        half[i] = (uint16_t)i;
    for (int bf16 = 0; bf16 < 2; bf16++)
        FOR_EVERY_ISA(isa)
        {
            dit_dtype dtype = bf16 ? DIT_BF16 : DIT_F16;
            dit_array halves = {dtype, DIT_SHAPE(HALVES), half}, floats = {DIT_F32, DIT_SHAPE(HALVES), wide};
            dit_array back = {dtype, DIT_SHAPE(HALVES), rounded};
            run(isa, DIT_OP_cast, halves, NOTHING, floats, NULL);
            for (int i = 0; i < HALVES; i++) {
                float want = bf16 ? dit_bf16_to_f32(half[i]) : dit_f16_to_f32(half[i]);
                assert_true(isnan(want) ? isnan(wide[i]) : memcmp(&want, &wide[i], sizeof want) == 0);
            }
            for (int around = 0; around < AROUND; around++) {
                for (int i = 0; i < HALVES; i++) {
                    uint32_t middle[] = {0, 0x0fff, 0x1000, 0x1001}, middle_bf16[] = {0, 0x7fff, 0x8000, 0x8001};
                    float exact = bf16 ? dit_bf16_to_f32(half[i]) : dit_f16_to_f32(half[i]);
                    uint32_t u;
                    memcpy(&u, &exact, sizeof u);
                    u += (bf16 ? middle_bf16 : middle)[around];
                    memcpy(&wide[i], &u, sizeof u);
                }
                run(isa, DIT_OP_cast, floats, NOTHING, back, NULL);
                for (int i = 0; i < HALVES; i++) {
                    uint16_t want = bf16 ? dit_f32_to_bf16(wide[i]) : dit_f32_to_f16(wide[i]);
                    float found = bf16 ? dit_bf16_to_f32(rounded[i]) : dit_f16_to_f32(rounded[i]);
                    assert_true(isnan(wide[i]) ? isnan(found) : rounded[i] == want);
                }
            }
        }
    free(half);
    free(rounded);
    free(wide);
}

// Subnormal halves and their ties: floats of every exponent with many mantissas.
static void small_floats_round_to_subnormal_halves(void **state)
{
    (void)state;
    enum { N = 1 << 15 };
    float *x = malloc(N * sizeof *x);
    uint16_t *y = malloc(N * sizeof *y);
    assert_true(x && y);
    for (int i = 0; i < N; i++)
        x[i] = (i & 1 ? -1 : 1) * ldexpf((float)(i % 4099) + 0.5f * (float)(i % 3), -37 + i % 17);
    FOR_EVERY_ISA(isa)
    {
        run(isa, DIT_OP_cast, (dit_array){DIT_F32, DIT_SHAPE(N), x}, NOTHING, (dit_array){DIT_F16, DIT_SHAPE(N), y},
            NULL);
        for (int i = 0; i < N; i++)
            assert_int_equal(y[i], dit_f32_to_f16(x[i]));
    }
    free(x);
    free(y);
}

// 2^24 + 2^12 ones: an f32 that counts them one by one stops at 2^24.
static void long_sums_do_not_stall(void **state)
{
    (void)state;
    enum { ROWS = (1 << 12) + 1, C = 1 << 12 };
    float *x = malloc((size_t)ROWS * C * sizeof *x), *y = malloc(ROWS * sizeof *y);
    assert_true(x && y);
    for (int64_t i = 0; i < (int64_t)ROWS * C; i++)
        x[i] = 1;
    FOR_EVERY_ISA(isa)
    {
        dit_array matrix = {DIT_F32, DIT_SHAPE(ROWS, C), x};
        run(isa, DIT_OP_sum, matrix, NOTHING, (dit_array){DIT_F32, DIT_SCALAR, y},
            &(struct dit_sum_attributes){.axes = 3});
        assert_true(y[0] == (float)ROWS * C);
        dit_array tall = {DIT_F32, DIT_SHAPE((int64_t)ROWS * C), x};
        run(isa, DIT_OP_mean, tall, NOTHING, (dit_array){DIT_F32, DIT_SCALAR, y},
            &(struct dit_mean_attributes){.axes = 1});
        assert_true(y[0] == 1);
        run(isa, DIT_OP_sum, (dit_array){DIT_F32, DIT_SHAPE((int64_t)ROWS * C / 4, 4), x}, NOTHING,
            (dit_array){DIT_F32, DIT_SHAPE(4), y}, &(struct dit_sum_attributes){.axes = 1});
        assert_true(y[0] == (float)ROWS * C / 4 && y[3] == y[0]);
    }
    free(x);
    free(y);
}

// The same bits from one, two and three threads.
static void sums_do_not_depend_on_the_number_of_threads(void **state)
{
    (void)state;
    enum { ROWS = 1500, C = 130 };
    static float x[ROWS * C], y[3][ROWS];
    for (int i = 0; i < ROWS * C; i++)
        x[i] = sinf((float)i) * (float)(1 + i % 1000);
    int threads = omp_get_max_threads();
    FOR_EVERY_ISA(isa)
    for (unsigned axes = 1; axes <= 3; axes++) {
        dit_shape shape = axes == 1 ? DIT_SHAPE(C) : axes == 2 ? DIT_SHAPE(ROWS) : DIT_SCALAR;
        for (int t = 0; t < 3; t++) {
            omp_set_num_threads(t + 1);
            run(isa, DIT_OP_sum, (dit_array){DIT_F32, DIT_SHAPE(ROWS, C), x}, NOTHING,
                (dit_array){DIT_F32, shape, y[t]}, &(struct dit_sum_attributes){.axes = axes});
            assert_memory_equal(y[0], y[t], (size_t)dit_shape_count(&shape) * sizeof(float));
        }
    }
    omp_set_num_threads(threads);
}

// A mean 3000 times the deviation costs what the rounding of the input costs, no more.
static void norms_survive_a_large_mean(void **state)
{
    (void)state;
    enum { N = 4096 };
    static float x[N], y[N];
    double mean = 0, squares = 0;
    for (int i = 0; i < N; i++) {
        x[i] = 3000 + sinf((float)i);
        mean += (double)x[i] / N;
    }
    for (int i = 0; i < N; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean) / N;
    FOR_EVERY_ISA(isa)
    for (int group = 0; group < 2; group++) {
        dit_view in[3] = {
            {.dtype = DIT_F32, .shape = DIT_SHAPE(1, 1, N), .data = x}, {.dtype = DIT_DTYPES}, {.dtype = DIT_DTYPES}};
        dit_view out[1] = {{.dtype = DIT_F32, .shape = DIT_SHAPE(1, 1, N), .data = y}};
        dit_view_set_contiguous(&in[0]);
        dit_view_set_contiguous(&out[0]);
        struct dit_group_norm_attributes groups = {.groups = 1, .eps = 0};
        struct dit_layer_norm_attributes rows = {.eps = 0};
        dit_op_call call = {3, 1, in, out, group ? (void *)&groups : (void *)&rows, NULL, NULL};
        dit_cpu_kernel_of(isa, group ? DIT_OP_group_norm : DIT_OP_layer_norm)->run(&call);
        for (int i = 0; i < N; i++) // half a unit of the last place of 3000 is 1.2e-4
            assert_true(fabs((double)y[i] - ((double)x[i] - mean) / sqrt(squares)) < 2e-4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maximum_and_minimum_propagate_nan),
        cmocka_unit_test(relu_and_clamp_keep_nan),
        cmocka_unit_test(amax_propagates_nan),
        cmocka_unit_test(nan_and_masked_rows_of_softmax),
        cmocka_unit_test(integers_wrap_around),
        cmocka_unit_test(casts_to_integers_saturate),
        cmocka_unit_test(every_half_converts_as_the_scalar_code_does),
        cmocka_unit_test(small_floats_round_to_subnormal_halves),
        cmocka_unit_test(long_sums_do_not_stall),
        cmocka_unit_test(sums_do_not_depend_on_the_number_of_threads),
        cmocka_unit_test(norms_survive_a_large_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
