// tests/eval/agreement_test.c: the arithmetic of `dit eval classify`.
#include "../io/support.h"
#include "eval/agreement.h"
#include <math.h>

static dit_agreement counted(const int *labels, const int *seen, size_t count, int classes, uint64_t seed)
{
    dit_agreement a;
    dit_error error = {0};
    dit_agreement_count(&a, labels, seen, count, classes, seed, &error);
    assert_fine(error);
    return a;
}

static void rates_are_counts_over_counts(void **state)
{
    (void)state;
    const int labels[] = {0, 0, 0, 0, 1, 1, 3, 3, 3, 3};
    const int seen[] = {0, 0, 0, 1, 1, 0, 2, 2, 2, 3};
    dit_agreement a = counted(labels, seen, 10, 4, 1);
    assert_int_equal(a.pictures, 10);
    assert_true(fabs(a.rate - 0.5) < 1e-12);
    assert_true(fabs(dit_agreement_of_class(&a, 0) - 0.75) < 1e-12);
    assert_true(fabs(dit_agreement_of_class(&a, 1) - 0.5) < 1e-12);
    assert_true(isnan(dit_agreement_of_class(&a, 2))); // seen, but never there
    assert_true(fabs(dit_agreement_of_class(&a, 3) - 0.25) < 1e-12);
    dit_agreement_free(&a);
}

enum { MANY = 20000, CLASSES = 10 };

static void shuffled_labels_agree_by_chance_alone(void **state)
{
    (void)state;
    int *labels = malloc(MANY * sizeof *labels);
    for (int i = 0; i < MANY; i++)
        labels[i] = i % CLASSES;
    dit_agreement a = counted(labels, labels, MANY, CLASSES, 1), again = counted(labels, labels, MANY, CLASSES, 1);
    dit_agreement other = counted(labels, labels, MANY, CLASSES, 2);
    assert_true(a.rate == 1);
    assert_true(fabs(a.shuffled - 1.0 / CLASSES) < 0.01); // 0.002 is one standard deviation
    assert_true(again.shuffled == a.shuffled);
    assert_true(other.shuffled != a.shuffled);
    dit_agreement_free(&a);
    dit_agreement_free(&again);
    dit_agreement_free(&other);
    free(labels);
}

// What sees one class everywhere is no better than its control.
static void the_control_exposes_a_constant_answer(void **state)
{
    (void)state;
    const int labels[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 2}, seen[10] = {0};
    dit_agreement a = counted(labels, seen, 10, 3, 7);
    assert_true(fabs(a.rate - 0.8) < 1e-12);
    assert_true(a.shuffled == a.rate);
    dit_agreement_free(&a);
}

static void classes_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct {
        int label, seen;
        size_t count;
    } faults[] = {{2, 0, 1}, {-1, 0, 1}, {0, 2, 1}, {0, -1, 1}, {0, 0, 0}};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        dit_agreement a;
        dit_error error = {0};
        dit_agreement_count(&a, &faults[i].label, &faults[i].seen, faults[i].count, 2, 1, &error);
        assert_refused(&error, DIT_BAD_ARGUMENT, "2");
        dit_agreement_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_counts_over_counts),
        cmocka_unit_test(shuffled_labels_agree_by_chance_alone),
        cmocka_unit_test(the_control_exposes_a_constant_answer),
        cmocka_unit_test(classes_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
