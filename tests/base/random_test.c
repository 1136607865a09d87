// Random numbers: torch's CPU generator bit for bit (fixtures by tools/fixtures/noise.py), the path without fused
// multiply-add against the one with it, saved states, and the counter-based functions.
#include "base/random.c" // the portable path is static
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// after the above
#include <cmocka.h>

static uint64_t fnv1a(const void *data, size_t size)
{
    const uint8_t *byte = data;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ byte[i]) * 0x100000001b3u;
    return h;
}

static double number(json_t *row, const char *key)
{
    json_t *value = json_object_get(row, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static void compare_draw(dit_generator *g, json_t *row)
{
    const char *kind = json_string_value(json_object_get(row, "kind"));
    size_t n = (size_t)number(row, "n");
    bool real = !strcmp(kind, "randn") || !strcmp(kind, "rand");
    size_t size = real ? sizeof(float) : sizeof(int64_t);
    void *x = malloc(n * size);
    assert_non_null(x);
    if (!strcmp(kind, "randn"))
        dit_randn(g, x, n);
    else if (!strcmp(kind, "rand"))
        dit_rand(g, x, n);
    else if (!strcmp(kind, "randperm"))
        dit_randperm(g, x, n);
    else
        dit_randint(g, json_integer_value(json_object_get(row, "low")),
                    json_integer_value(json_object_get(row, "high")), x, n);
    if (real) {
        assert_true(((float *)x)[0] == (float)number(row, "first"));
        assert_true(((float *)x)[n - 1] == (float)number(row, "last"));
    } else {
        assert_int_equal(((int64_t *)x)[0], json_integer_value(json_object_get(row, "first")));
        assert_int_equal(((int64_t *)x)[n - 1], json_integer_value(json_object_get(row, "last")));
    }
    uint64_t hash = strtoull(json_string_value(json_object_get(row, "fnv1a")), NULL, 16);
    assert_true(fnv1a(x, n * size) == hash);
    free(x);
}

static json_t *fixture(void)
{
    json_error_t error;
    json_t *root = json_load_file(DIT_SOURCE_DIR "/tests/fixtures/random/torch.json", 0, &error);
    assert_non_null(root);
    return root;
}

static void draws_of_every_kind_and_size_equal_torch(void **state)
{
    (void)state;
    json_t *root = fixture(), *c, *row;
    size_t i, j, compared = 0;
    dit_generator g;
    json_array_foreach(json_object_get(root, "cases"), i, c)
    {
        dit_generator_seed(&g, strtoull(json_string_value(json_object_get(c, "seed")), NULL, 10));
        json_array_foreach(json_object_get(c, "draws"), j, row)
        {
            compare_draw(&g, row);
            compared++;
        }
    }
    assert_true(compared > 300);
    json_decref(root);
}

static void a_state_saved_by_torch_goes_on_here(void **state)
{
    (void)state;
    json_t *root = fixture(), *resumed = json_object_get(root, "resumed"), *row;
    const char *hex = json_string_value(json_object_get(resumed, "state"));
    uint8_t bytes[DIT_GENERATOR_BYTES], again[DIT_GENERATOR_BYTES];
    assert_int_equal(strlen(hex), 2 * DIT_GENERATOR_BYTES);
    for (size_t i = 0; i < DIT_GENERATOR_BYTES; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
        bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    dit_generator g;
    assert_int_equal(dit_generator_load(&g, bytes, NULL), DIT_OK);
    dit_generator_save(&g, again);
    assert_memory_equal(bytes, again, DIT_GENERATOR_BYTES);
    size_t i;
    json_array_foreach(json_object_get(resumed, "draws"), i, row) compare_draw(&g, row);
    json_decref(root);
}

static void a_restored_generator_repeats_its_draws(void **state)
{
    (void)state;
    dit_generator g, h;
    uint8_t bytes[DIT_GENERATOR_BYTES];
    for (size_t before = 0; before < 700; before += 23) {
        float skipped[700], a[50], b[50];
        dit_generator_seed(&g, before);
        dit_rand(&g, skipped, before);
        dit_randn(&g, a, 3);
        dit_generator_save(&g, bytes);
        assert_int_equal(dit_generator_load(&h, bytes, NULL), DIT_OK);
        dit_randn(&g, a, 5), dit_randn(&g, a + 5, 45);
        dit_randn(&h, b, 5), dit_randn(&h, b + 5, 45);
        assert_memory_equal(a, b, sizeof a);
    }
}

static void bytes_that_are_no_state_are_refused(void **state)
{
    (void)state;
    dit_generator g, before;
    uint8_t good[DIT_GENERATOR_BYTES], bad[DIT_GENERATOR_BYTES];
    memset(&before, 0, sizeof before);
    dit_generator_seed(&before, 3);
    dit_generator_u32(&before);
    dit_generator_save(&before, good);
    static const struct {
        size_t at;
        uint8_t value;
    } damage[] = {{8, 0}, {9, 0x70}, {11, 0xff}, {12, 0}, {16, 7}, {24 + 4, 1}, {5040, 2}};
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        dit_error error = {0};
        memcpy(bad, good, sizeof bad);
        bad[damage[i].at] = damage[i].value;
        memcpy(&g, &before, sizeof g);
        assert_int_equal(dit_generator_load(&g, bad, &error), DIT_BAD_FILE);
        assert_true(error.message[0]);
        assert_memory_equal(&g, &before, sizeof g);
    }
}

static void every_instruction_set_gives_the_same_normals(void **state)
{
    (void)state;
    enum { N = 16 * 20000 };
    float *a = malloc(N * sizeof *a), *b = malloc(N * sizeof *b);
    assert_true(a && b);
    dit_generator g;
    dit_generator_seed(&g, 5);
    dit_rand(&g, a, N);
    a[0] = a[3] = 0; // the ends of the range: log(1), log(2^-24), a full turn
    a[1] = a[4] = 1 - 0x1p-24f;
    a[8] = 0, a[9] = a[12] = 1 - 0x1p-24f;
    memcpy(b, a, N * sizeof *a);
    normals_from_uniforms(a, N / 16);
    box_muller(b, N / 16);
    assert_memory_equal(a, b, N * sizeof *a);
    free(a);
    free(b);
}

// The published known answers of Philox 4x32-10.
static void philox_gives_its_published_answers(void **state)
{
    (void)state;
    static const struct {
        dit_philox_block counter;
        uint64_t key;
        dit_philox_block expected;
    } rows[] = {
        {{{0, 0, 0, 0}}, 0, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
        {{{~0u, ~0u, ~0u, ~0u}}, ~UINT64_C(0), {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
        {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
         0x299f31d0a4093822,
         {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dit_philox_block block = dit_philox(rows[i].counter, rows[i].key);
        assert_memory_equal(&block, &rows[i].expected, sizeof block);
    }
}

static void counter_values_depend_on_their_index_alone(void **state)
{
    (void)state;
    enum { N = 100000 };
    float *x = malloc(N * sizeof *x);
    assert_non_null(x);
    double sum = 0, square = 0, normal = 0, normal_square = 0;
    dit_counter_uniforms(7, 3, 0, x, N);
    for (size_t i = 0; i < N; i++) {
        assert_true(x[i] == dit_counter_uniform(7, 3, i) && x[i] >= 0 && x[i] < 1);
        double z = dit_counter_normal(7, 4, i);
        sum += x[i], square += (double)x[i] * x[i];
        normal += z, normal_square += z * z;
    }
    assert_true(fabs(sum / N - 0.5) < 0.005 && fabs(square / N - 1.0 / 3) < 0.005);
    assert_true(fabs(normal / N) < 0.015 && fabs(normal_square / N - 1) < 0.02);
    float part[10];
    dit_counter_uniforms(7, 3, 4321, part, 10);
    assert_memory_equal(part, x + 4321, sizeof part);
    assert_true(dit_counter_uniform(8, 3, 0) != x[0] && dit_counter_uniform(7, 2, 0) != x[0]);
    free(x);
}

static void bounded_integers_cover_their_range(void **state)
{
    (void)state;
    size_t count[7] = {0};
    for (uint64_t i = 0; i < 70000; i++)
        count[dit_counter_below(1, 2, i, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_true(count[i] > 9500 && count[i] < 10500);
    assert_int_equal(dit_counter_below(1, 2, 3, 1), 0);
}

static void permutations_are_permutations(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {1, 2, 3, 4, 5, 16, 17, 1000, 4096, 4097};
    bool seen[4097];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        uint64_t n = sizes[s], fixed = 0, same = 0;
        memset(seen, 0, sizeof seen);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t p = dit_counter_permutation(11, 1, n, i);
            assert_true(p < n && !seen[p]);
            seen[p] = true;
            fixed += p == i;
            same += p == dit_counter_permutation(11, 2, n, i);
        }
        if (n >= 1000)
            assert_true(fixed < 12 && same < 12); // both near 1 for a random permutation
    }
    uint64_t huge = UINT64_C(1) << 63;
    assert_true(dit_counter_permutation(1, 1, huge + 5, huge) < huge + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_of_every_kind_and_size_equal_torch),
        cmocka_unit_test(a_state_saved_by_torch_goes_on_here),
        cmocka_unit_test(a_restored_generator_repeats_its_draws),
        cmocka_unit_test(bytes_that_are_no_state_are_refused),
        cmocka_unit_test(every_instruction_set_gives_the_same_normals),
        cmocka_unit_test(philox_gives_its_published_answers),
        cmocka_unit_test(counter_values_depend_on_their_index_alone),
        cmocka_unit_test(bounded_integers_cover_their_range),
        cmocka_unit_test(permutations_are_permutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
