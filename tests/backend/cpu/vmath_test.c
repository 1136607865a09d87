// vmath.h against the C library in double, over a dense sweep of all floats, compiled for each instruction set.
#include "backend/cpu/cpu.h"
#include "backend/cpu/vmath.h"
#include "check.h"
#include <stdio.h>
#include <stdlib.h>

// Each function over an array, from vmath_loops.c, which is compiled as kernels are.
#define FUNCTION(name)                                                                                                 \
    void name##_array_portable(const float *x, float *y, int n);                                                       \
    void name##_array_avx2(const float *x, float *y, int n);                                                           \
    void name##_array_avx512(const float *x, float *y, int n);
#include "vmath_functions.def"
#undef FUNCTION

static double exact_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}
static double exact_silu(double x)
{
    return x / (1 + exp(-x));
}
static double exact_gelu_tanh(double x)
{
    return x / (1 + exp(-2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
static double exact_gelu_erf(double x)
{
    return 0.5 * x * erfc(-x * M_SQRT1_2);
}

static const struct subject {
    const char *name;
    void (*loop[3])(const float *x, float *y, int n);
    double (*exact)(double x);
    double ulps;       // allowed
    double scale;      // errors are measured in ulp of max(|y|, scale |x|)
    double flush;      // results below may be 0
    bool nan_at_minus; // infinity
} subjects[] = {
#ifdef __x86_64__
#define ARRAYS(name)                                                                                                   \
    {                                                                                                                  \
        name##_array_portable, name##_array_avx2, name##_array_avx512                                                  \
    }
#else
#define ARRAYS(name)                                                                                                   \
    {                                                                                                                  \
        name##_array_portable                                                                                          \
    }
#endif
    {"vexp", ARRAYS(vexp), exp, 1.1, 0, 0, false},
    {"vlog", ARRAYS(vlog), log, 0.9, 0, 0, false},
    {"vtanh", ARRAYS(vtanh), tanh, 1.7, 0, 0, false},
    {"verf", ARRAYS(verf), erf, 1.5, 0, 0, false},
    {"vsigmoid", ARRAYS(vsigmoid), exact_sigmoid, 2.5, 0, 0x1p-126, false},
    {"vsilu", ARRAYS(vsilu), exact_silu, 3.0, 0, 0x1p-119, true},
    {"vgelu_tanh", ARRAYS(vgelu_tanh), exact_gelu_tanh, 2, 0.5, 0x1p-119, true},
    {"vgelu_erf", ARRAYS(vgelu_erf), exact_gelu_erf, 2, 0.5, 0x1p-119, true},
    {"vsin", ARRAYS(vsin), sin, 0.51, 0, 0, false},
    {"vcos", ARRAYS(vcos), cos, 0.51, 0, 0, false},
};

static double ulp_at(double y)
{
    int exponent;
    frexp(fabs(y), &exponent);
    return ldexp(1.0, exponent - 24 < -149 ? -149 : exponent - 24);
}

// The error of y = f(x) in ulp, or infinity when a special value is wrong.
static double error_of(const struct subject *s, float x, float y)
{
    double exact = s->exact((double)x);
    if (s->nan_at_minus && x == -INFINITY)
        return isnan(y) ? 0 : INFINITY;
    if (isnan(exact) || isnan(y))
        return isnan(exact) && isnan(y) ? 0 : INFINITY;
    if (fabs(exact) >= 0x1.ffffffp127) // rounds to infinity
        return isinf(y) && (y > 0) == (exact > 0) ? 0 : INFINITY;
    if (isinf(y))
        return fabs(exact) > 0x1.fffffcp127 && (y > 0) == (exact > 0) ? 1 : INFINITY;
    if (fabs(exact) < s->flush && y == 0)
        return 0;
    return fabs((double)y - exact) / ulp_at(fmax(fabs(exact), s->scale * fabs((double)x)));
}

enum { BLOCK = 1 << 14 };

static void sweep(const struct subject *s, int isa)
{
    static float x[BLOCK], y[BLOCK];
    double worst = 0;
    float where = 0;
    uint64_t bits = 0;
    // Every 1021st bit pattern (a prime): all exponents, signs, subnormals, infinities and NaNs.
    for (bool last = false; !last;) {
        int n = 0;
        for (; n < BLOCK - 8 && bits < (uint64_t)1 << 32; bits += 1021)
            x[n++] = vfloat((uint32_t)bits);
        last = bits >= (uint64_t)1 << 32;
        if (last) {
            const float special[] = {0.0f, -0.0f,     INFINITY,        -INFINITY,
                                     NAN,  0x1p-149f, 0x1.fffffep127f, -0x1.fffffep127f};
            memcpy(x + n, special, sizeof special);
            n += (int)(sizeof special / sizeof *special);
        }
        s->loop[isa](x, y, n);
        for (int i = 0; i < n; i++) {
            double e = error_of(s, x[i], y[i]);
            if (e > worst) {
                worst = e;
                where = x[i];
            }
        }
    }
    // The everyday range, densely.
    for (int block = 0; block < 128; block++) {
        for (int i = 0; i < BLOCK; i++)
            x[i] = -20.0f + 40.0f * (float)(block * BLOCK + i) / (128.0f * BLOCK);
        s->loop[isa](x, y, BLOCK);
        for (int i = 0; i < BLOCK; i++) {
            double e = error_of(s, x[i], y[i]);
            if (e > worst) {
                worst = e;
                where = x[i];
            }
        }
    }
    if (getenv("DIT_TEST_VERBOSE"))
        printf("%s: %.3f ulp at %a\n", s->name, worst, (double)where);
    if (worst > s->ulps)
        fail_msg("%s, %s: %g ulp at %a (%g), %g allowed", s->name, dit_isa_name((dit_isa)isa), worst, (double)where,
                 (double)where, s->ulps);
}

static void sweep_all(int isa)
{
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        sweep(&subjects[i], isa);
}

static void portable_functions_are_within_their_stated_errors(void **state)
{
    (void)state;
    sweep_all(DIT_PORTABLE);
}

static void avx2_functions_are_within_their_stated_errors(void **state)
{
    (void)state;
    if (!dit_cpu_has(DIT_AVX2))
        skip();
    sweep_all(DIT_AVX2);
}

static void avx512_functions_are_within_their_stated_errors(void **state)
{
    (void)state;
    if (!dit_cpu_has(DIT_AVX512))
        skip();
    sweep_all(DIT_AVX512);
}

static void zeros_keep_their_sign(void **state)
{
    (void)state;
    float (*odd[])(float) = {vtanh, verf, vsin, vsilu, vgelu_tanh, vgelu_erf};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        assert_true(odd[i](0.0f) == 0.0f && !signbit(odd[i](0.0f)));
        assert_true(odd[i](-0.0f) == 0.0f && signbit(odd[i](-0.0f)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(portable_functions_are_within_their_stated_errors),
        cmocka_unit_test(avx2_functions_are_within_their_stated_errors),
        cmocka_unit_test(avx512_functions_are_within_their_stated_errors),
        cmocka_unit_test(zeros_keep_their_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
