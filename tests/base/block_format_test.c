// Block formats and f8 against the public quantisers (tools/fixtures/block_formats.py).
#include "base/block_format.h"
#include "base/cast.h"
#include "io/safetensors.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static dit_safetensors *fixtures;

static dit_array fixture(const char *format, const char *what)
{
    char name[40];
    dit_array array = {0};
    dit_error error = {0};
    snprintf(name, sizeof name, "%s.%s", format, what);
    if (dit_safetensors_get(fixtures, name, &array, &error))
        print_error("%s\n", error.message);
    assert_int_equal(error.status, DIT_OK);
    return array;
}

static void every_format_decodes_as_the_reference_does(void **state)
{
    (void)state;
    for (dit_dtype format = DIT_Q8_0; format < DIT_DTYPES; format++) {
        dit_array blocks = fixture(dit_dtype_name(format), "blocks"),
                  values = fixture(dit_dtype_name(format), "values");
        int64_t count = dit_shape_count(&values.shape);
        dit_array same = {format, values.shape, NULL};
        assert_int_equal(dit_array_bytes(&same), dit_array_bytes(&blocks));
        float *decoded = malloc((size_t)count * sizeof *decoded);
        dit_block_decode(format, blocks.data, decoded, count);
        for (int64_t i = 0; i < count; i++) {
            assert_true(decoded[i] == ((const float *)values.data)[i]);
            assert_true(dit_element_get(format, blocks.data, i) == decoded[i]);
        }
        free(decoded);
    }
}

static void formats_encode_as_the_reference_does(void **state)
{
    (void)state;
    dit_array x;
    dit_error error = {0};
    assert_int_equal(dit_safetensors_get(fixtures, "x", &x, &error), DIT_OK);
    int64_t count = dit_shape_count(&x.shape);
    for (dit_dtype format = DIT_Q8_0; format <= DIT_Q5_1; format++) {
        dit_array blocks = fixture(dit_dtype_name(format), "blocks");
        uint8_t *encoded = malloc(dit_array_bytes(&blocks));
        assert_true(dit_block_encode(format, x.data, encoded, count));
        assert_memory_equal(encoded, blocks.data, dit_array_bytes(&blocks));
        free(encoded);
    }
}

// The public numpy package does not make these formats; the sums are of what ggml's C reference quantisers
// (quantize_row_q2_K_ref ... q6_K_ref, compiled without contraction) make of the same values.
static void k_formats_encode_as_the_reference_does(void **state)
{
    (void)state;
    enum { COUNT = 64 * DIT_K_BLOCK };
    static const uint64_t expected[] = {0xc1bd6d7cc935cffdu, 0x9a95f62308607867u, 0x6d72dbcdce47c4dcu,
                                        0x894657b362e755d5u, 0x7f6707867b547a3bu};
    static float x[COUNT], y[COUNT];
    static uint8_t blocks[COUNT];
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < COUNT; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        x[i] = (float)((int)(random >> 40 & 0xffff) - 32768) / (float)(1 << (8 + i / 1024));
        if (i % 700 < 40)
            x[i] = 0;
        if (i / 256 % 5 == 2)
            x[i] = fabsf(x[i]);
    }
    for (int f = 0; f < 5; f++) {
        dit_dtype format = (dit_dtype)(DIT_Q2_K + f);
        dit_array array = {format, DIT_SHAPE(COUNT), NULL};
        uint64_t sum = 0xcbf29ce484222325u; // FNV-1a
        assert_true(dit_block_encode(format, x, blocks, COUNT));
        for (size_t i = 0; i < dit_array_bytes(&array); i++)
            sum = (sum ^ blocks[i]) * 0x100000001b3u;
        assert_true(sum == expected[f]);
        dit_block_decode(format, blocks, y, COUNT);
        double error = 0, size = 0;
        for (int i = 0; i < COUNT; i++) {
            error += (double)(x[i] - y[i]) * (double)(x[i] - y[i]);
            size += (double)x[i] * (double)x[i];
        }
        const double most[] = {0.25, 0.13, 0.06, 0.03, 0.02};
        assert_true(sqrt(error / size) < most[f]);
    }
}

static void what_no_block_can_hold_is_told(void **state)
{
    (void)state;
    for (dit_dtype format = DIT_Q8_0; format < DIT_DTYPES; format++) {
        float x[DIT_K_BLOCK] = {1, -2, 3};
        uint8_t block[256];
        int count = dit_dtype_block(format);
        assert_true(dit_block_encode(format, x, block, count));
        x[7] = NAN;
        assert_false(dit_block_encode(format, x, block, count));
        x[7] = -INFINITY;
        assert_false(dit_block_encode(format, x, block, count));
        x[7] = 3e38f; // its scale is beyond f16
        assert_false(dit_block_encode(format, x, block, count));
        x[7] = 1e-42f; // far below the smallest scale
        assert_true(dit_block_encode(format, x, block, count));
    }
}

static void small_floats_round_as_torch_does(void **state)
{
    (void)state;
    const dit_dtype formats[] = {DIT_F8_E4M3, DIT_F8_E5M2};
    for (int f = 0; f < 2; f++) {
        const char *name = dit_dtype_name(formats[f]);
        dit_array decoded = fixture(name, "decoded"), source = fixture("f8", "source"),
                  encoded = fixture(name, "encoded");
        for (int i = 0; i < 256; i++) {
            uint8_t bits = (uint8_t)i;
            float want = ((const float *)decoded.data)[i], got = (float)dit_element_get(formats[f], &bits, 0);
            assert_true(isnan(want) ? isnan(got) : want == got && signbit(want) == signbit(got));
        }
        for (int64_t i = 0; i < dit_shape_count(&source.shape); i++) {
            uint8_t bits;
            dit_element_set(formats[f], &bits, 0, ((const float *)source.data)[i]);
            assert_int_equal(bits, ((const uint8_t *)encoded.data)[i]);
        }
    }
}

static void shapes_hold_whole_blocks(void **state)
{
    (void)state;
    const struct {
        dit_dtype dtype;
        dit_shape shape;
        size_t bytes; // 0: refused
    } cases[] = {
        {DIT_Q8_0, DIT_SHAPE(3, 64), 3 * 2 * 34}, {DIT_Q8_0, DIT_SHAPE(64, 3), 0}, {DIT_Q8_0, DIT_SCALAR, 0},
        {DIT_Q6_K, DIT_SHAPE(2, 256), 2 * 210},   {DIT_Q6_K, DIT_SHAPE(8, 32), 0}, {DIT_F8_E4M3, DIT_SHAPE(3, 5), 15},
        {DIT_Q4_0, DIT_SHAPE(5, 0), 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_error error = {0};
        bool empty = dit_shape_count(&cases[i].shape) == 0;
        assert_int_equal(dit_shape_check(&cases[i].shape, cases[i].dtype, &error) == DIT_OK, cases[i].bytes || empty);
        if (!error.status) {
            dit_array array = {cases[i].dtype, cases[i].shape, NULL};
            assert_int_equal(dit_array_bytes(&array), cases[i].bytes);
        }
    }
}

static void casts_go_through_every_format(void **state)
{
    (void)state;
    enum { COUNT = 2048 + 256 };
    static float x[COUNT], y[COUNT];
    static uint8_t blocks[COUNT * 2], expected[COUNT * 2];
    static uint16_t halves[COUNT];
    for (int i = 0; i < COUNT; i++) {
        x[i] = dit_bf16_to_f32(dit_f32_to_bf16(sinf((float)i) * 3));
        halves[i] = dit_f32_to_bf16(x[i]);
    }
    for (dit_dtype format = DIT_F8_E4M3; format < DIT_DTYPES; format++) {
        dit_array array = {format, DIT_SHAPE(COUNT), NULL};
        assert_true(dit_cast_floats(format, blocks, DIT_BF16, halves, COUNT));
        if (dit_dtype_is_block(format))
            assert_true(dit_block_encode(format, x, expected, COUNT));
        for (int i = 0; !dit_dtype_is_block(format) && i < COUNT; i++)
            dit_element_set(format, expected, i, x[i]);
        assert_memory_equal(blocks, expected, dit_array_bytes(&array));
        assert_true(dit_cast_floats(DIT_F32, y, format, blocks, COUNT));
        for (int i = 0; i < COUNT; i++)
            assert_true(y[i] == (float)dit_element_get(format, blocks, i));
    }
    x[2100] = 500; // e4m3 ends at 448
    assert_false(dit_cast_floats(DIT_F8_E4M3, blocks, DIT_F32, x, COUNT));
    assert_true(dit_cast_floats(DIT_F8_E5M2, blocks, DIT_F32, x, COUNT));
}

static int open_fixtures(void **state)
{
    (void)state;
    dit_error error = {0};
    return dit_safetensors_open(&fixtures, "fixtures/formats/block_formats.safetensors", &error) ? -1 : 0;
}

static int close_fixtures(void **state)
{
    (void)state;
    dit_safetensors_close(fixtures);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_decodes_as_the_reference_does),
        cmocka_unit_test(formats_encode_as_the_reference_does),
        cmocka_unit_test(k_formats_encode_as_the_reference_does),
        cmocka_unit_test(what_no_block_can_hold_is_told),
        cmocka_unit_test(small_floats_round_as_torch_does),
        cmocka_unit_test(shapes_hold_whole_blocks),
        cmocka_unit_test(casts_go_through_every_format),
    };
    return cmocka_run_group_tests(tests, open_fixtures, close_fixtures);
}
