// tests/text/clean_test.c: prompts are cleaned as diffusers' PixArt does it (tools/fixtures/prompts.py). Another file
// of the same form may be named on the command line.
#include "../io/support.h"
#include "text/clean.h"
#include "text/html.h"
#include <jansson.h>

static const char *prompts = DIT_SOURCE_DIR "/tests/fixtures/prompts/clean.jsonl";

typedef dit_status cleaner(const char *text, size_t length, char **clean, size_t *size, dit_error *error);

static int differs(json_t *row, const char *key, cleaner *clean)
{
    dit_error error = {0};
    json_t *text = json_object_get(row, "text"), *wanted = json_object_get(row, key);
    char *made;
    size_t size;
    clean(json_string_value(text), json_string_length(text), &made, &size, &error);
    assert_fine(error);
    bool same = size == json_string_length(wanted) && !memcmp(made, json_string_value(wanted), size);
    if (!same)
        print_error("%s of \"%s\"\n  is     \"%s\"\n  not    \"%s\"\n", key, json_string_value(text), made,
                    json_string_value(wanted));
    free(made);
    return !same;
}

static void captions_are_cleaned_as_by_the_public_pipelines(void **state)
{
    (void)state;
    char *line = NULL;
    size_t room = 0;
    int rows = 0, wrong = 0;
    FILE *file = fopen(prompts, "r");
    assert_non_null(file);
    for (; getline(&line, &room, file) > 0; rows++) {
        json_t *row = json_loads(line, 0, NULL);
        assert_non_null(row);
        wrong += differs(row, "caption", dit_clean_caption) + differs(row, "lower", dit_clean_lower);
        json_decref(row);
    }
    free(line);
    fclose(file);
    assert_true(rows > 300);
    assert_int_equal(wrong, 0);
}

// Python orders marks of Unicode 10 and later, which the tokenizer library's normal forms do not know.
static void marks_are_put_in_order_as_by_python(void **state)
{
    (void)state;
    dit_error error = {0};
    char *made;
    const char text[] = "a cat\u0898\u0899";
    dit_clean_caption(text, strlen(text), &made, NULL, &error);
    assert_fine(error);
    assert_string_equal(made, "a cat\u0899\u0898");
    free(made);
}

static void references_follow_html5(void **state)
{
    (void)state;
    static const struct {
        const char *text, *all, *terminated;
    } cases[] = {{"&lt;&gt", "<>", "<&gt"},
                 {"&notit;", "\u00acit;", "&notit;"},
                 {"&#38;#38;", "&#38;", "&#38;"},
                 {"&#128;&#x80", "\u20ac\u20ac", "\u20ac&#x80"},
                 {"&#0;&#xd800;&#x110000;", "\ufffd\ufffd\ufffd", "\ufffd\ufffd\ufffd"},
                 {"&#1;x", "x", "x"},
                 {"&NotEqualTilde;", "\u2242\u0338", "\u2242\u0338"},
                 {"&nosuch; & &; &#; &#x;", "&nosuch; & &; &#; &#x;", "&nosuch; & &; &#; &#x;"},
                 {"&ampx&ampersand;", "&x&ersand;", "&ampx&ampersand;"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int terminated = 0; terminated < 2; terminated++) {
            dit_text made = {0};
            assert_true(dit_html_unescape(cases[i].text, strlen(cases[i].text), terminated, &made));
            assert_string_equal(made.bytes, terminated ? cases[i].terminated : cases[i].all);
            free(made.bytes);
        }
}

static void broken_prompts_are_refused(void **state)
{
    (void)state;
    dit_error error = {0};
    char *made;
    dit_clean_caption("a\xff", 2, &made, NULL, &error);
    assert_null(made);
    assert_refused(&error, DIT_BAD_ARGUMENT, "prompt", "byte 2");
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captions_are_cleaned_as_by_the_public_pipelines),
        cmocka_unit_test(marks_are_put_in_order_as_by_python),
        cmocka_unit_test(references_follow_html5),
        cmocka_unit_test(broken_prompts_are_refused),
    };
    if (count > 1)
        prompts = arguments[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
