// tests/text/weighted_test.c: weights, rows and adapters of prompts, by the rules that users of web interfaces know.
#include "../io/support.h"
#include "text/weighted.h"
#include <math.h>

#define CLIP DIT_SOURCE_DIR "/tests/fixtures/tokenizers/clip-files"

struct expected {
    const char *text; // "BREAK" with weight -1: a break
    double weight;
};

static void assert_parts(const char *prompt, const struct expected *expected)
{
    dit_error error = {0};
    dit_prompt_parts parts = {0};
    dit_prompt_parse(prompt, strlen(prompt), &parts, &error);
    assert_fine(error);
    size_t i = 0;
    for (; expected[i].text; i++) {
        assert_true(i < parts.count);
        const dit_prompt_part *p = &parts.part[i];
        if (expected[i].weight < 0 && !strcmp(expected[i].text, "BREAK")) {
            assert_true(p->is_break);
            continue;
        }
        assert_string_equal(p->text, expected[i].text);
        assert_int_equal(p->size, strlen(p->text));
        if (fabs(p->weight - expected[i].weight) > 1e-12)
            print_error("%s: \"%s\" has %.17g, not %.17g\n", prompt, p->text, p->weight, expected[i].weight);
        assert_true(fabs(p->weight - expected[i].weight) <= 1e-12);
    }
    assert_int_equal(i, parts.count);
    dit_prompt_parts_free(&parts);
}
#define PARTS(prompt, ...) assert_parts(prompt, (const struct expected[]){__VA_ARGS__, {NULL, 0}})

static void brackets_are_weights(void **state)
{
    (void)state;
    PARTS("normal text", {"normal text", 1});
    PARTS("an (important) word", {"an ", 1}, {"important", 1.1}, {" word", 1});
    PARTS("(unbalanced", {"unbalanced", 1.1});
    PARTS("[unbalanced", {"unbalanced", 1 / 1.1});
    PARTS("\\(literal\\]", {"(literal]", 1});
    PARTS("(unnecessary)(parens)", {"unnecessaryparens", 1.1});
    PARTS("a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", {"a ", 1}, {"house", 1.3 * 1.1 * 1.1}, {" ", 1.1},
          {"on", 1}, {" a ", 1.1}, {"hill", 0.5 * 1.1}, {", sun, ", 1.1}, {"sky", 1.1 * 1.1 * 1.1 * 1.1}, {".", 1.1});
    PARTS("(word:1.2)", {"word", 1.2});
    PARTS("(word: -0.5 )", {"word", -0.5});
    PARTS("(a:b)", {"a:b", 1.1});
    PARTS("(a:1.2.3)", {"a:1.2.3", 1.1});
    PARTS("a:1.2) b]", {"a:1.2) b]", 1});
    PARTS("[[x]]", {"x", 1 / 1.1 / 1.1});
    PARTS("\\\\ \\x", {"\\ x", 1});
    PARTS("", {"", 1});
    PARTS("()", {"", 1});
    PARTS("\u4f60(\u597d:2)", {"\u4f60", 1}, {"\u597d", 2});
}

static void breaks_are_words(void **state)
{
    (void)state;
    PARTS("a BREAK b", {"a", 1}, {"BREAK", -1}, {"b", 1});
    PARTS("BREAKs xBREAK", {"BREAKs xBREAK", 1});
    PARTS("(a BREAK b:1.5)", {"a", 1.5}, {"BREAK", -1}, {"b", 1.5});
    PARTS("BREAK", {"", 1}, {"BREAK", -1}, {"", 1});
}

static dit_tokenizer *clip(void)
{
    dit_error error = {0};
    dit_tokenizer *t;
    dit_tokenizer_open(&t, CLIP, &error);
    assert_fine(error);
    return t;
}

static dit_weighted_prompt weigh(const dit_tokenizer *t, const char *prompt, size_t least)
{
    dit_error error = {0};
    dit_weighted_prompt w;
    dit_weigh_prompt(t, prompt, strlen(prompt), &(dit_row_rule){.room = 75, .least = least}, &w, &error);
    assert_fine(error);
    assert_int_equal(w.length, 77);
    size_t before, after;
    const int32_t *start = dit_tokenizer_before(t, &before);
    dit_tokenizer_after(t, &after);
    assert_int_equal(before, 1);
    assert_int_equal(after, 1);
    for (size_t row = 0; row < w.rows; row++) {
        assert_int_equal(w.ids[row * 77], start[0]);
        assert_true(w.weights[row * 77] == 1);
    }
    return w;
}

static void one_row_is_what_the_tokenizer_gives(void **state)
{
    (void)state;
    dit_tokenizer *t = clip();
    dit_error error = {0};
    int32_t *ids;
    size_t count;
    dit_weighted_prompt w = weigh(t, "a photo of a cat", 1);
    dit_tokenizer_encode(t, "a photo of a cat", 16, 77, &ids, &count, &error);
    assert_fine(error);
    assert_int_equal(w.rows, 1);
    for (size_t i = 0; i < 77; i++) {
        assert_int_equal(w.ids[i], i < count ? ids[i] : dit_tokenizer_ask(t).pad_id);
        assert_true(w.weights[i] == 1);
    }
    free(ids);
    dit_weighted_prompt_free(&w);
    w = weigh(t, "a (photo:1.5)", 3);
    assert_int_equal(w.rows, 3);
    assert_true(w.weights[1] == 1 && w.weights[2] == 1.5f);
    assert_int_equal(w.ids[77 + 1], w.ids[76]); // an empty row: start, end, filled up
    dit_weighted_prompt_free(&w);
    dit_tokenizer_close(t);
}

// `words` times "a", a comma after the word `comma`.
static void long_prompt(char *text, size_t words, size_t comma)
{
    *text = 0;
    for (size_t i = 1; i <= words; i++)
        strcat(text, i == comma ? "a , " : "a ");
}

static void long_prompts_have_rows_that_end_at_commas(void **state)
{
    (void)state;
    static const struct {
        size_t words, comma, rows, in_first; // tokens of the prompt in the first row
    } cases[] = {{75, 0, 1, 75},  {76, 0, 2, 75},  {80, 60, 2, 61}, {80, 50, 2, 75}, {80, 54, 2, 75},
                 {80, 55, 2, 56}, {74, 74, 1, 75}, {75, 75, 2, 75}, {160, 0, 3, 75}};
    dit_tokenizer *t = clip();
    int32_t end = dit_tokenizer_ask(t).pad_id;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        long_prompt(text, cases[i].words, cases[i].comma);
        dit_weighted_prompt w = weigh(t, text, 1);
        size_t in_first = 0, all = 0;
        for (size_t k = 0; k < w.rows * 77; k++) {
            bool own = k % 77 > 0 && w.ids[k] != end;
            in_first += own && k < 77;
            all += own;
        }
        assert_int_equal(w.rows, cases[i].rows);
        assert_int_equal(in_first, cases[i].in_first);
        assert_int_equal(all, cases[i].words + (cases[i].comma > 0));
        dit_weighted_prompt_free(&w);
    }
    dit_weighted_prompt w = weigh(t, "a BREAK b", 1);
    assert_int_equal(w.rows, 2);
    dit_weighted_prompt_free(&w);
    dit_tokenizer_close(t);
}

// T5: no bound that rows would come from, and a space before every part.
static void encoders_of_long_texts_get_one_row(void **state)
{
    (void)state;
    static const char plain[] = "a red fox", weighted[] = " (a) [red] BREAK fox ";
    dit_error error = {0};
    dit_tokenizer *t;
    dit_weighted_prompt one, other, cut;
    dit_tokenizer_open(&t, DIT_SOURCE_DIR "/tests/fixtures/tokenizers/t5", &error);
    assert_fine(error);
    const dit_row_rule rule = {.room = 20, .least = 1, .one = true};
    dit_weigh_prompt(t, plain, strlen(plain), &rule, &one, &error);
    dit_weigh_prompt(t, weighted, strlen(weighted), &rule, &other, &error);
    dit_weigh_prompt(t, weighted, strlen(weighted), &(dit_row_rule){.room = 2, .least = 1, .one = true}, &cut, &error);
    assert_fine(error);
    assert_int_equal(one.rows, 1);
    assert_int_equal(one.length, 21);
    assert_memory_equal(one.ids, other.ids, 21 * sizeof *one.ids);
    assert_memory_equal(one.mask, other.mask, 21);
    assert_true(other.weights[0] == 1.1f && other.weights[1] == (float)(1 / 1.1));
    size_t own = 0;
    for (size_t i = 0; i < 21; i++) {
        assert_true(one.weights[i] == 1 && one.mask[i] == (i < 21 && one.ids[i] != dit_tokenizer_ask(t).pad_id));
        own += one.mask[i];
    }
    assert_true(own > 3 && own < 21);
    assert_int_equal(cut.rows, 1);
    assert_int_equal(cut.length, 3);
    assert_int_equal(cut.ids[2], one.ids[own - 1]); // what ends a text
    dit_weighted_prompt_free(&one);
    dit_weighted_prompt_free(&other);
    dit_weighted_prompt_free(&cut);
    dit_tokenizer_close(t);
}

static void adapters_are_taken_out(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_prompt_loras l;
    dit_prompt_take_loras("a <lora:pixel art:0.8>cat <lora:b>, <b> <lora", &l, &error);
    assert_fine(error);
    assert_string_equal(l.prompt, "a cat , <b> <lora");
    assert_int_equal(l.count, 2);
    assert_string_equal(l.lora[0].name, "pixel art");
    assert_true(l.lora[0].weight == 0.8);
    assert_string_equal(l.lora[1].name, "b");
    assert_true(l.lora[1].weight == 1);
    dit_prompt_loras_free(&l);
    static const char *const wrong[] = {"<lora:>",      "<lora::1>",    "<lora:a:>",   "<lora:a:b>",
                                        "<lora:a:1:2>", "<lora:a:nan>", "<lora:a: 1>", "\xff"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        error = (dit_error){0};
        dit_prompt_take_loras(wrong[i], &l, &error);
        assert_refused(&error, DIT_BAD_ARGUMENT, i < 7 ? "lora" : "UTF-8");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brackets_are_weights),
        cmocka_unit_test(breaks_are_words),
        cmocka_unit_test(one_row_is_what_the_tokenizer_gives),
        cmocka_unit_test(long_prompts_have_rows_that_end_at_commas),
        cmocka_unit_test(encoders_of_long_texts_get_one_row),
        cmocka_unit_test(adapters_are_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
