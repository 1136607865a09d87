// Graphs over quantised weights: every way in which one may be used gives what its decoded values give.
#include "base/cast.h"
#include "graph/ops.h"
#include "graph/plan.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { T = 21, C = 256, N = 96, V = 40 };

static unsigned seed = 1;

static float uniform(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) * 0x1p-23f - 1;
}

// Adds a tensor of random blocks of `format`, and to the other set what it decodes to. Any bytes are blocks; f16 scales
// and f8 numbers get a tame exponent.
static void add(dit_weights *stored, dit_weights *decoded, const char *name, dit_dtype format, dit_shape shape)
{
    dit_error error = {0};
    dit_array blocks, values;
    dit_array_alloc(&blocks, format, shape, &error);
    dit_array_alloc(&values, DIT_F32, shape, &error);
    assert_string_equal(error.message, "");
    int64_t count = dit_shape_count(&shape);
    unsigned char *bytes = blocks.data;
    size_t size = dit_dtype_size(format);
    for (size_t i = 0; i < dit_array_bytes(&blocks); i++)
        bytes[i] = (unsigned char)(uniform() * 127);
    // The scales of Q2_K, Q3_K and Q6_K come last, those of the other block formats first.
    size_t at = format == DIT_Q2_K ? 80 : format == DIT_Q3_K ? 108 : format == DIT_Q6_K ? 208 : 0;
    for (size_t b = 0; dit_dtype_is_block(format) && b < dit_array_bytes(&blocks); b += size)
        for (size_t k = 0; k < 4 && at + k < size; k += 2)
            if (k == 0 || format != DIT_Q8_0)
                bytes[b + at + k + 1] = (unsigned char)((bytes[b + at + k + 1] & 0x83) | 0x20);
    for (size_t i = 0; !dit_dtype_is_block(format) && i < dit_array_bytes(&blocks); i++)
        bytes[i] &= 0xb7;
    assert_true(dit_cast_floats(DIT_F32, values.data, format, blocks.data, count));
    dit_weights_add(stored, name, blocks, true, &error);
    dit_weights_add(decoded, name, values, true, &error);
    assert_string_equal(error.message, "");
}

// An embedding, linear layers of many and of few rows, a view of a weight, a norm, an element-wise use; the gradient
// with respect to x, which no weight's blocks lie along.
static dit_plan *plan_of(dit_weights *weights, bool frozen)
{
    dit_error error = {0};
    dit_graph *g = dit_graph_new(weights);
    dit_tensor x = dit_input(g, "x", DIT_F32, DIT_SHAPE(T, C)), ids = dit_input(g, "ids", DIT_I32, DIT_SHAPE(T));
    dit_tensor table = dit_parameter(g, "table", DIT_SHAPE(V, C), DIT_INITIAL_ZEROS),
               w = dit_parameter(g, "w", DIT_SHAPE(N, C), DIT_INITIAL_ZEROS),
               scale = dit_parameter(g, "scale", DIT_SHAPE(C), DIT_INITIAL_ZEROS);
    dit_tensor h = dit_add(g, x, dit_embedding(g, table, ids));                 // (T, C)
    h = dit_mul(g, dit_rms_norm(g, h, scale, 1e-5f), scale);                    // (T, C)
    dit_tensor many = dit_linear(g, h, w, DIT_NONE);                            // (T, N)
    dit_tensor few = dit_linear(g, dit_slice(g, h, 0, 3, 2, 1), w, DIT_NONE);   // (2, N)
    dit_tensor part = dit_linear(g, h, dit_slice(g, w, 0, 7, 30, 1), DIT_NONE); // (T, 30)
    dit_output(g, "many", many);
    dit_output(g, "few", few);
    dit_output(g, "part", part);
    dit_tensor loss = dit_add(g, dit_sum(g, dit_square(g, many), 3, false), dit_sum(g, dit_square(g, few), 3, false));
    dit_tensor d;
    if (!frozen && !dit_graph_gradient(g, loss, &x, 1, &d))
        dit_output(g, "d", d);
    dit_plan *plan = NULL;
    dit_plan_new(g, weights, &(dit_plan_options){.frozen = frozen}, &plan, &error);
    assert_string_equal(error.message, "");
    dit_graph_free(g);
    seed = 77;
    for (int i = 0; i < T * C; i++)
        ((float *)dit_plan_input(plan, "x").data)[i] = uniform();
    for (int i = 0; i < T; i++)
        ((int32_t *)dit_plan_input(plan, "ids").data)[i] = i * 7 % V;
    assert_int_equal(dit_plan_run(plan, NULL, NULL, &error), DIT_OK);
    return plan;
}

static void check_close(const dit_plan *a, const dit_plan *b, const char *name, dit_dtype format)
{
    dit_array x = dit_plan_output(a, name), y = dit_plan_output(b, name);
    double most = 0, worst = 0;
    for (int64_t i = 0; i < dit_shape_count(&x.shape); i++) {
        double u = (double)((float *)x.data)[i], v = (double)((float *)y.data)[i];
        most = fmax(most, fabs(v));
        worst = fmax(worst, fabs(u - v));
    }
    if (!(worst <= 2e-6 * most) || !(most > 0) || !isfinite(most))
        fail_msg("%s of %s: differs by %g, the largest is %g", name, dit_dtype_name(format), worst, most);
}

static void quantised_weights_are_used_as_what_they_decode_to(void **state)
{
    (void)state;
    for (int format = DIT_F8_E4M3; format < DIT_DTYPES; format++)
        for (int frozen = 0; frozen < 2; frozen++) {
            dit_weights *stored = dit_weights_new(), *decoded = dit_weights_new();
            add(stored, decoded, "table", (dit_dtype)format, DIT_SHAPE(V, C));
            add(stored, decoded, "w", (dit_dtype)format, DIT_SHAPE(N, C));
            add(stored, decoded, "scale", (dit_dtype)format, DIT_SHAPE(C));
            dit_plan *a = plan_of(stored, frozen), *b = plan_of(decoded, frozen);
            static const char *const names[] = {"many", "few", "part", "d"};
            for (int i = 0; i < (frozen ? 3 : 4); i++)
                check_close(a, b, names[i], (dit_dtype)format);
            dit_plan_free(a);
            dit_plan_free(b);
            dit_weights_free(stored);
            dit_weights_free(decoded);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantised_weights_are_used_as_what_they_decode_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
