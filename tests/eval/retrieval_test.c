// tests/eval/retrieval_test.c: rates are what the features say, and chance is chance.
#include "../io/support.h"
#include "base/random.h"
#include "eval/retrieval.h"
#include <math.h>

enum { COUNT = 400, QUERIES = 200, WIDTH = 24 };
static float real[COUNT * WIDTH], drawn[QUERIES * WIDTH];
static size_t own[QUERIES];
static uint32_t same[COUNT];
static const dit_retrieval_options usual = {.candidates = 100, .seed = 1};

// Random features; drawing q is `closeness` of its own picture and random for the rest.
static void make_features(double closeness)
{
    for (uint64_t i = 0; i < COUNT * WIDTH; i++)
        real[i] = (float)dit_counter_normal(1, 0, i);
    for (size_t i = 0; i < COUNT; i++)
        same[i] = (uint32_t)i;
    for (size_t q = 0; q < QUERIES; q++) {
        own[q] = (q * 7 + 3) % COUNT;
        for (size_t k = 0; k < WIDTH; k++)
            drawn[q * WIDTH + k] = (float)(closeness * real[own[q] * WIDTH + k] +
                                           (1 - closeness) * dit_counter_normal(1, 1, q * WIDTH + k));
    }
}

static void retrieve(const dit_retrieval_options *o, int *ranks, dit_retrieval_rates *rates,
                     dit_retrieval_rates *chance)
{
    dit_error error = {0};
    dit_retrieval(drawn, QUERIES, real, COUNT, WIDTH, own, same, o, ranks, rates, chance, &error);
    assert_fine(error);
}

static void the_pictures_themselves_are_all_found(void **state)
{
    (void)state;
    dit_retrieval_rates rates, chance;
    int ranks[QUERIES];
    make_features(1);
    for (int i = 0; i < QUERIES * WIDTH; i++)
        drawn[i] *= 0.01f; // length does not matter
    retrieve(&usual, ranks, &rates, &chance);
    assert_true(rates.first == 1 && rates.first_five == 1);
    for (int q = 0; q < QUERIES; q++)
        assert_int_equal(ranks[q], 1);
    assert_true(chance.first <= 0.05 && chance.first_five <= 0.13); // 0.01 and 0.05, five standard deviations
}

static void random_drawings_are_found_by_chance(void **state)
{
    (void)state;
    dit_retrieval_rates rates, chance;
    double first = 0, five = 0;
    make_features(0);
    for (uint64_t seed = 0; seed < 20; seed++) {
        retrieve(&(dit_retrieval_options){.candidates = 20, .seed = seed}, NULL, &rates, &chance);
        first += chance.first / 20;
        five += chance.first_five / 20;
    }
    assert_true(fabs(first - 1 / 20.0) < 0.02);
    assert_true(fabs(five - 5 / 20.0) < 0.04);
}

static void closer_drawings_are_found_more_often(void **state)
{
    (void)state;
    double before = 0;
    for (int i = 0; i < 5; i++) {
        dit_retrieval_rates rates, chance;
        make_features(0.1 + 0.15 * i);
        retrieve(&usual, NULL, &rates, &chance);
        assert_true(rates.first <= rates.first_five);
        assert_true(rates.first_five > before || before == 1);
        before = rates.first_five;
    }
    assert_true(before > 0.99);
}

static void ranks_count_the_nearer_candidates(void **state)
{
    (void)state;
    // Five pictures at 0, 10, 20, 30 and 40 degrees; a drawing at 14 degrees that was to be number i.
    static const int ranks[] = {3, 1, 2, 4, 5};
    float five[10], one[4] = {cosf(14 * 0.01745329f), sinf(14 * 0.01745329f), 1, 0};
    const uint32_t different[] = {0, 1, 2, 3, 4};
    for (int i = 0; i < 5; i++) {
        five[2 * i] = cosf((float)(10 * i) * 0.01745329f);
        five[2 * i + 1] = sinf((float)(10 * i) * 0.01745329f);
    }
    for (size_t i = 0; i < 5; i++) {
        dit_error error = {0};
        dit_retrieval_rates rates, chance;
        int rank[2];
        const size_t asked[] = {i, 0};
        dit_retrieval(one, 2, five, 5, 2, asked, different, &(dit_retrieval_options){.candidates = 5}, rank, &rates,
                      &chance, &error);
        assert_fine(error);
        assert_int_equal(rank[0], ranks[i]);
        assert_int_equal(rank[1], 1);
    }
}

static void equals_count_against_the_drawing(void **state)
{
    (void)state;
    dit_retrieval_rates rates, chance;
    make_features(1);
    for (int i = 0; i < COUNT * WIDTH; i++)
        real[i] = 1;
    retrieve(&usual, NULL, &rates, &chance);
    assert_true(rates.first == 0 && rates.first_five == 0);
    for (int i = 0; i < COUNT; i++)
        same[i] = i < COUNT / 2 ? 0 : (uint32_t)i; // one picture under many names is no candidate beside itself
    dit_error error = {0};
    const size_t first[2] = {0, 1};
    dit_retrieval(drawn, 2, real, COUNT, WIDTH, first, same, &(dit_retrieval_options){.candidates = COUNT / 2 + 2},
                  NULL, &rates, &chance, &error);
    assert_refused(&error, DIT_BAD_ARGUMENT, "candidates");
}

static void useless_features_are_refused(void **state)
{
    (void)state;
    dit_retrieval_rates rates, chance;
    static const float bad[] = {0, NAN, INFINITY};
    for (int i = 0; i < 3; i++) {
        dit_error error = {0};
        make_features(1);
        for (int k = 0; k < WIDTH; k++)
            drawn[3 * WIDTH + k] = bad[i];
        dit_retrieval(drawn, QUERIES, real, COUNT, WIDTH, own, same, &usual, NULL, &rates, &chance, &error);
        assert_refused(&error, DIT_BAD_NUMBER, "drawn picture 3");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pictures_themselves_are_all_found), cmocka_unit_test(random_drawings_are_found_by_chance),
        cmocka_unit_test(closer_drawings_are_found_more_often),  cmocka_unit_test(ranks_count_the_nearer_candidates),
        cmocka_unit_test(equals_count_against_the_drawing),      cmocka_unit_test(useless_features_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
