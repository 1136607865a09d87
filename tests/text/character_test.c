// tests/text/character_test.c: classes of characters that are newer than the libraries of an older system.
#include "../io/support.h"
#include "text/character.h"

static void unicode_16_has_its_classes(void **state)
{
    (void)state;
    assert_true(dit_is_letter(0x2ebf0) && dit_is_letter(0x1c89) && dit_is_letter(0x143fa) && dit_is_letter(0x323af));
    assert_true(dit_is_number(0x1ccf0) && dit_is_number(0x11f50) && dit_is_word(0x0897));
    assert_false(dit_is_letter(0x1ccf0) || dit_is_letter(0x143fb) || dit_is_number(0x2ebf0) || dit_is_word(0x31ef));
}

// A letter, a mark, a digit and a sign of Unicode 15 to 16 between what stays.
static void older_characters_stand_in(void **state)
{
    (void)state;
    char text[] = "a\u1c89 \u0897\u00e9 \U0002ebf0\U0001ccf0\u31ef\u4e00";
    dit_text_stand_in(text, strlen(text));
    assert_string_equal(text, "a\u1e00 \u1ab0\u00e9 \U00010000\U000104a0\u2605\u4e00");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unicode_16_has_its_classes),
        cmocka_unit_test(older_characters_stand_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
