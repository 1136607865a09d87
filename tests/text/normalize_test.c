// tests/text/normalize_test.c: normalisation where Unicode's versions part: what tokenizers 0.23 and Python say of
// characters that one of them, or utf8proc, does not know yet.
#include "../io/support.h"
#include "text/normalize.h"

static void assert_made(dit_normal_step step, const char *text, const char *expected)
{
    dit_error error = {0};
    dit_text made;
    dit_text_normalize(text, strlen(text), &step, 1, &made, &error);
    assert_fine(error);
    assert_string_equal(made.bytes, expected);
    free(made.bytes);
}

static void new_letters_have_small_ones(void **state)
{
    (void)state;
    static const struct {
        const char *text, *small;
    } cases[] = {{"A\u00c9\u0416\u0130", "a\u00e9\u0436i\u0307"},
                 {"\u1c89\ua7cb\ua7cc", "\u1c8a\u0264\ua7cd"},
                 {"\ua7ce\ua7d2\ua7d4", "\ua7cf\ua7d3\ua7d5"},
                 {"\ua7da\ua7dc", "\ua7db\u019b"},
                 {"\U00010d4f\U00010d50\U00010d65\U00010d66", "\U00010d4f\U00010d70\U00010d85\U00010d66"},
                 {"\U00016e9f\U00016ea0\U00016eb8\U00016eb9", "\U00016e9f\U00016ebb\U00016ed3\U00016eb9"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_made((dit_normal_step){.kind = DIT_NORMAL_LOWERCASE}, cases[i].text, cases[i].small);
}

static void marks_newer_than_the_library_stay(void **state)
{
    (void)state;
    assert_made((dit_normal_step){.kind = DIT_NORMAL_STRIP_MARKS}, "a\u0301\u0ece", "a\u0ece");
    assert_made((dit_normal_step){.kind = DIT_NORMAL_STRIP_NONSPACING}, "a\u0301\u0ece", "a\u0ece");
}

// U+0898 is of combining class 230 and U+0899 of 220, since Unicode 14.
static void normal_forms_know_old_or_all_marks(void **state)
{
    (void)state;
    assert_made((dit_normal_step){.kind = DIT_NORMAL_NFC}, "e\u0301 a\u0898\u0899", "\u00e9 a\u0898\u0899");
    assert_made((dit_normal_step){.kind = DIT_NORMAL_NFC, .newest = true}, "e\u0301 a\u0898\u0899",
                "\u00e9 a\u0899\u0898");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_letters_have_small_ones),
        cmocka_unit_test(marks_newer_than_the_library_stay),
        cmocka_unit_test(normal_forms_know_old_or_all_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
