// Casts of whole arrays against the conversion of one element, on every pair of types.
#include "base/cast.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 5000 }; // two blocks and a part of one

static const dit_dtype floats[] = {DIT_F32, DIT_F16, DIT_BF16, DIT_F64};
enum { FLOATS = sizeof floats / sizeof *floats };

// Values of every size that `from` has, ties between neighbours of a narrower type among them.
static void fill(dit_dtype from, void *source)
{
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < COUNT; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        double mantissa = 1 + (double)(random % 4096) / 4096; // few digits: every other one is a tie for bf16 or f16
        double value = ldexp(random & (1u << 20) ? -mantissa : mantissa, (int)(random >> 33 & 31) - 16);
        dit_element_set(from, source, i, value);
    }
    dit_element_set(from, source, 17, 0.0);
    dit_element_set(from, source, 18, -0.0);
    dit_element_set(from, source, 19, INFINITY);
    dit_element_set(from, source, 20, -INFINITY);
    dit_element_set(from, source, 4999, NAN);
}

static void every_pair_of_types_agrees_with_single_elements(void **state)
{
    (void)state;
    double source[COUNT], result[COUNT], expected[COUNT];
    for (int a = 0; a < FLOATS; a++)
        for (int b = 0; b < FLOATS; b++) {
            fill(floats[a], source);
            for (int64_t i = 0; i < COUNT; i++)
                dit_element_set(floats[b], expected, i, dit_element_get(floats[a], source, i));
            bool fits = dit_cast_floats(floats[b], result, floats[a], source, COUNT);
            bool none_overflowed = true;
            for (int64_t i = 0; i < COUNT; i++) {
                double want = dit_element_get(floats[b], expected, i), got = dit_element_get(floats[b], result, i);
                assert_true(isnan(want) ? isnan(got) : want == got && signbit(want) == signbit(got));
                none_overflowed = none_overflowed && (!isinf(want) || isinf(dit_element_get(floats[a], source, i)));
            }
            assert_int_equal(fits, none_overflowed);
        }
}

static void finite_values_that_become_infinite_are_told(void **state)
{
    (void)state;
    const struct {
        dit_dtype from, to;
        double value;
        bool fits;
    } cases[] = {
        {DIT_F32, DIT_F16, 65519, true},    {DIT_F32, DIT_F16, 65520, false},   {DIT_F32, DIT_BF16, 3.38e38, true},
        {DIT_F32, DIT_BF16, 3.4e38, false}, {DIT_BF16, DIT_F16, -70000, false}, {DIT_F64, DIT_F32, 1e39, false},
        {DIT_F64, DIT_F32, INFINITY, true}, {DIT_F64, DIT_BF16, -1e300, false}, {DIT_F32, DIT_F16, NAN, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double source[1], result[1];
        dit_element_set(cases[i].from, source, 0, cases[i].value);
        assert_int_equal(dit_cast_floats(cases[i].to, result, cases[i].from, source, 1), cases[i].fits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_types_agrees_with_single_elements),
        cmocka_unit_test(finite_values_that_become_infinite_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
