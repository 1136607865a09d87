// tests/io/json_test.c: strict JSON is accepted, everything else is refused with file, line and key.
#include "io/json.h"
#include "support.h"
#include <math.h>
#include <sys/stat.h>

static dit_status parse(dit_json_file **file, const char *text, unsigned flags, dit_error *error)
{
    *error = (dit_error){0};
    return dit_json_parse(file, "config.json", text, strlen(text), flags, error);
}

static dit_json_file *parsed(const char *text, unsigned flags)
{
    dit_json_file *file;
    dit_error error;
    parse(&file, text, flags, &error);
    assert_fine(error);
    return file;
}

static void malformed_text_is_refused_with_file_and_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *line, *word;
    } cases[] = {
        {"", "line 1", "end of file"},
        {"  ", "line 1", "end of file"},
        {"{", "line 1", "end of file"},
        {"{\"a\":1", "line 1", "end of file"},
        {"{\"a\":1}x", "line 1", "end of file expected"},
        {"{\"a\":1}\n{\"a\":1}", "line 2", "end of file expected"},
        {"{\"a\":1,\n\n\"a\":2}", "line 3", "duplicate"},
        {"{\"b\":{\"a\":1,\"a\":1}}", "line 1", "duplicate"},
        {"{\"a\":NaN}", "line 1", "NaN"},
        {"{\"a\":nan}", "line 1", "nan"},
        {"{\n\"a\":Infinity}", "line 2", "Infinity"},
        {"{\n\"a\":-Infinity}", "line 2", "-"},
        {"{\"lambda_min_clipped\":-Infinity}", "line 1", "-"},
        {"{\"a\":1e999}", "line 1", "overflow"},
        {"{\"a\":-1e999}", "line 1", "overflow"},
        {"{\"a\":01}", "line 1", "invalid token"},
        {"{\"a\":+1}", "line 1", "invalid token"},
        {"{\"a\":.5}", "line 1", "invalid token"},
        {"{\"a\":1.}", "line 1", "invalid token"},
        {"{\"a\":0x10}", "line 1", "'}' expected"},
        {"{\"a\":-}", "line 1", "invalid token"},
        {"{\"a\":True}", "line 1", "True"},
        {"{'a':1}", "line 1", "string or '}' expected"},
        {"{\"a\":1,}", "line 1", "string"},
        {"[1,]", "line 1", "unexpected token"},
        {"{\"a\" 1}", "line 1", "':' expected"},
        {"{a:1}", "line 1", "expected"},
        {"{\"a\":1} // comment", "line 1", "end of file expected"},
        {"{\"a\":\"\xff\"}", "line 1", "unable to decode byte 0xff"},
        {"{\"a\":\"\xc0\xaf\"}", "line 1", "unable to decode"},
        {"{\"a\":\"\xed\xa0\x80\"}", "line 1", "unable to decode"},
        {"{\"a\":\"\\ud800\"}", "line 1", "Unicode"},
        {"{\"a\":\"\\u0000\"}", "line 1", "u0000"},
        {"{\"a\\u0000\":1}", "line 1", "u0000"},
        {"{\"a\":\"tab\there\"}", "line 1", "control character"},
        {"{\"a\":\"open}", "line 1", "end of input"},
        {"{\"a\":\"\\x\"}", "line 1", "invalid escape"},
        {"\xef\xbb\xbf{\"a\":1}", "line 1", "expected"},
        {"7", "line 1", "expected"},
        {"\"text\"", "line 1", "expected"},
        {"{\"a\":\x01}", "line 1", "invalid token"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_json_file *file;
        dit_error error;
        assert_int_equal(parse(&file, cases[i].text, 0, &error), DIT_BAD_FILE);
        assert_refused(&error, DIT_BAD_FILE, "config.json", cases[i].line, cases[i].word);
    }
    dit_json_file *file;
    dit_error error = {0};
    dit_json_parse(&file, "c.json", "{\"a\":\0 1}", 9, 0, &error);
    assert_refused(&error, DIT_BAD_FILE, "c.json", "line 1");
}

static void deep_nesting_and_floods_of_values_are_refused(void **state)
{
    (void)state;
    size_t n = 5 << 20;
    char *text = malloc(2 * n);
    assert_non_null(text);
    dit_json_file *file;
    dit_error error = {0};
    memset(text, '[', n);
    dit_json_parse(&file, "deep.json", text, 1 << 20, 0, &error);
    assert_refused(&error, DIT_BAD_FILE, "deep.json", "depth");
    error = (dit_error){0};
    dit_json_parse(&file, "deep.json", text, n, 0, &error);
    assert_refused(&error, DIT_BAD_FILE, "deep.json", "values");
    for (size_t i = 0; i < n; i++)
        memcpy(text + 2 * i, i ? "0," : "[0", 2);
    error = (dit_error){0};
    dit_json_parse(&file, "wide.json", text, 2 * n, 0, &error);
    assert_refused(&error, DIT_BAD_FILE, "wide.json", "values");
    free(text);
}

static void minus_infinity_is_read_for_one_key_when_asked(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_json_file *file = parsed("{\"x\": 1, \"lambda_min_clipped\" : -Infinity, \"y\": -2}", DIT_JSON_MINUS_INFINITY);
    dit_json root = dit_json_root(file);
    assert_true(dit_json_number(root, "lambda_min_clipped", -INFINITY, INFINITY, &error) == -INFINITY);
    assert_true(dit_json_number_or(root, "lambda_min_clipped", 0, -INFINITY, INFINITY, &error) == -INFINITY);
    assert_int_equal(dit_json_int(root, "y", -10, 10, &error), -2);
    assert_fine(error);
    dit_json_number(root, "lambda_min_clipped", -10, 10, &error);
    assert_refused(&error, DIT_BAD_FILE, "config.json", "\"lambda_min_clipped\" is -Infinity", "from -10 to 10");
    dit_json_close(file);

    file = parsed("{\"lambda_min_clipped\": -5.1}", DIT_JSON_MINUS_INFINITY);
    error = (dit_error){0};
    assert_true(dit_json_number(dit_json_root(file), "lambda_min_clipped", -INFINITY, INFINITY, &error) == -5.1);
    dit_json_close(file);

    const char *refused[] = {
        "{\"a\": -Infinity}",
        "{\"lambda_min_clipped\": Infinity}",
        "{\"lambda_min_clipped\": -Infinityx}",
        "{\"lambda_min_clipped\": [-Infinity]}",
        "{\"a\": {\"lambda_min_clipped\": -Infinity}}",
        "{\"a\": \"lambda_min_clipped\", \"b\": -Infinity}",
        "[\"lambda_min_clipped\", -Infinity]",
        "{\"lambda_min_clipped\": -Infinity, \"lambda_min_clipped\": -Infinity}",
        "{-Infinity: 1}",
        "{\"lambda_min_clipped\": NaN}",
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(parse(&file, refused[i], DIT_JSON_MINUS_INFINITY, &error), DIT_BAD_FILE);
}

static void numbers_keep_their_value_and_type(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_json_file *file = parsed("{\"i\":9223372036854775807,\"n\":-9223372036854775808,\"big\":9223372036854775808,"
                                 "\"vast\":1000000000000000019884624838656,\"neg\":-9223372036854775809,"
                                 "\"r\":0.1,\"e\":1E-3,\"z\":-0.0,\"whole\":3.0,\"s\":\"12345678901234567890123\"}",
                                 0);
    dit_json root = dit_json_root(file);
    assert_true(dit_json_int(root, "i", INT64_MIN, INT64_MAX, &error) == INT64_MAX);
    assert_true(dit_json_int(root, "n", INT64_MIN, INT64_MAX, &error) == INT64_MIN);
    assert_true(dit_json_number(root, "i", 0, INFINITY, &error) == 9223372036854775807.0);
    assert_true(dit_json_number(root, "big", 0, INFINITY, &error) == 9223372036854775808.0);
    assert_true(dit_json_number(root, "vast", 0, INFINITY, &error) == 1e30);
    assert_true(dit_json_number(root, "neg", -INFINITY, 0, &error) == -9223372036854775808.0);
    assert_true(dit_json_number(root, "r", 0, 1, &error) == 0.1);
    assert_true(dit_json_number(root, "e", 0, 1, &error) == 0.001);
    assert_true(signbit(dit_json_number(root, "z", -1, 1, &error)));
    assert_string_equal(dit_json_text(root, "s", &error), "12345678901234567890123");
    assert_fine(error);
    dit_json_int(root, "vast", 1, 1000, &error);
    assert_refused(&error, DIT_BAD_FILE, "\"vast\" is 1e+30; it must be an integer from 1 to 1000");
    error = (dit_error){0};
    dit_json_int(root, "whole", 1, INT64_MAX, &error);
    assert_refused(&error, DIT_BAD_FILE, "\"whole\" is 3.0; it must be an integer of at least 1");
    dit_json_close(file);
}

static void getters_refuse_other_types_and_name_the_key(void **state)
{
    (void)state;
    dit_json_file *file = parsed("{\"n\":-3,\"t\":true,\"f\":1.5,\"s\":\"abc\\u001b[31m\",\"z\":null,\"l\":[1,2,true],"
                                 "\"o\":{\"in\":{\"x\":0}},\"ol\":[{\"k\":1},{\"k\":\"v\"},5]}",
                                 0);
    dit_json root = dit_json_root(file);
    dit_error error;
    static const char *const names[] = {"none", "linear", "yarn", NULL};
    int64_t values[4];
    double reals[4];
#define REFUSES(call, ...)                                                                                             \
    do {                                                                                                               \
        error = (dit_error){0};                                                                                        \
        (void)call;                                                                                                    \
        assert_refused(&error, DIT_BAD_FILE, "config.json: ", __VA_ARGS__);                                            \
    } while (0)
    REFUSES(dit_json_int(root, "n", 1, 1000, &error), "\"n\" is -3; it must be an integer from 1 to 1000");
    REFUSES(dit_json_int(root, "absent", 1, 1000, &error), "\"absent\" is missing");
    REFUSES(dit_json_int(root, "z", 1, 1000, &error), "\"z\" is null");
    REFUSES(dit_json_int(root, "t", 0, 1000, &error), "\"t\" is true; it must be an integer");
    REFUSES(dit_json_int(root, "f", 0, 1000, &error), "\"f\" is 1.5;");
    REFUSES(dit_json_int(root, "s", 0, 1000, &error), "\"s\" is the text \"abc?[31m\"");
    REFUSES(dit_json_int(root, "l", 0, 1000, &error), "\"l\" is a list of 3");
    REFUSES(dit_json_int(root, "o", INT64_MIN, INT64_MAX, &error), "\"o\" is an object; it must be an integer");
    REFUSES(dit_json_number(root, "t", 0, 1, &error), "\"t\" is true; it must be a number from 0 to 1");
    REFUSES(dit_json_number(root, "f", 0, 1, &error), "\"f\" is 1.5; it must be a number from 0 to 1");
    REFUSES(dit_json_number(root, "f", 2, INFINITY, &error), "a number of at least 2");
    REFUSES(dit_json_number(root, "f", -INFINITY, 1, &error), "a number of at most 1");
    REFUSES(dit_json_number(root, "s", -INFINITY, INFINITY, &error), "it must be a number");
    REFUSES(dit_json_bool(root, "n", &error), "\"n\" is -3; it must be true or false");
    REFUSES(dit_json_bool(root, "z", &error), "\"z\" is null");
    REFUSES(dit_json_text(root, "n", &error), "\"n\" is -3; it must be a text");
    REFUSES(dit_json_choice(root, "s", names, &error), "known are: none, linear, yarn");
    REFUSES(dit_json_choice(root, "n", names, &error), "\"n\" is -3; it must be a text");
    REFUSES(dit_json_object(root, "l", &error), "\"l\" is a list of 3; it must be an object");
    REFUSES(dit_json_list(root, "o", &error), "\"o\" is an object; it must be a list");
    REFUSES(dit_json_ints(root, "l", values, 3, 3, 0, 9, &error), "\"l.2\" is true; it must be an integer from 0 to 9");
    REFUSES(dit_json_ints(root, "l", values, 1, 2, 0, 9, &error), "\"l\" is a list of 3; it must have 1 to 2");
    REFUSES(dit_json_ints(root, "l", values, 4, 4, 0, 9, &error), "\"l\" is a list of 3; it must have 4");
    REFUSES(dit_json_numbers(root, "l", reals, 3, 3, 0, 1.5, &error),
            "\"l.1\" is 2; it must be a number from 0 to 1.5");
    REFUSES(dit_json_int_or(root, "t", 5, 0, 9, &error), "\"t\" is true");
    REFUSES(dit_json_text_or(root, "n", "x", &error), "\"n\" is -3");
    dit_json list = dit_json_list(root, "ol", &error);
    REFUSES(dit_json_int(dit_json_item(list, 1, &error), "k", 0, 9, &error), "\"ol.1.k\" is the text \"v\"");
    REFUSES(dit_json_item(list, 2, &error), "\"ol.2\" is 5; it must be an object");
    REFUSES(dit_json_item(list, 3, &error), "\"ol.3\" is missing");
    dit_json inner = dit_json_object(dit_json_object(root, "o", &error), "in", &error);
    REFUSES(dit_json_int(inner, "x", 1, 9, &error), "\"o.in.x\" is 0");
    REFUSES(dit_json_fail(inner, "x", &error, "is %d; odd sizes only", 4), "\"o.in.x\" is 4; odd sizes only");
#undef REFUSES
    dit_json_close(file);

    file = parsed("[1, 2]", 0);
    error = (dit_error){0};
    dit_json_int_or(dit_json_root(file), "a", 5, 0, 9, &error);
    assert_refused(&error, DIT_BAD_FILE, "the top level is a list where an object with \"a\" is needed");
    dit_json_close(file);
}

static void getters_give_values_and_defaults(void **state)
{
    (void)state;
    dit_json_file *file =
        parsed("{\"n\":3,\"f\":1.5,\"t\":true,\"s\":\"h\xc3\xa9\",\"z\":null,\"l\":[1,2,3],\"k\":\"yarn\"}", 0);
    dit_json root = dit_json_root(file);
    dit_error error = {0};
    static const char *const names[] = {"none", "linear", "yarn", NULL};
    int64_t values[4] = {0};
    double reals[4] = {0};
    assert_int_equal(dit_json_int(root, "n", 3, 3, &error), 3);
    assert_true(dit_json_number(root, "n", 3, 3, &error) == 3.0);
    assert_true(dit_json_bool(root, "t", &error));
    assert_string_equal(dit_json_text(root, "s", &error), "h\xc3\xa9");
    assert_int_equal(dit_json_choice(root, "k", names, &error), 2);
    assert_int_equal(dit_json_ints(root, "l", values, 1, 4, 0, 9, &error), 3);
    assert_int_equal(values[2], 3);
    assert_int_equal(dit_json_numbers(root, "l", reals, 3, 3, 0, 9, &error), 3);
    assert_true(reals[1] == 2.0);
    assert_int_equal(dit_json_int_or(root, "z", 7, 0, 9, &error), 7);
    assert_int_equal(dit_json_int_or(root, "none", 100, 0, 9, &error), 100);
    assert_true(dit_json_number_or(root, "z", -1.0, 0, 9, &error) == -1.0);
    assert_true(dit_json_bool_or(root, "z", true, &error));
    assert_false(dit_json_switch_or(root, "z", true, &error)); // None is false
    assert_true(dit_json_switch_or(root, "none", true, &error));
    assert_true(dit_json_switch_or(root, "t", false, &error));
    assert_null(dit_json_text_or(root, "z", NULL, &error));
    assert_int_equal(dit_json_choice_or(root, "none", names, 1, &error), 1);
    assert_int_equal(dit_json_choice_or(root, "k", names, 1, &error), 2);
    assert_int_equal(dit_json_count(dit_json_list_or_empty(root, "none", &error)), 0);
    assert_int_equal(dit_json_int_or(dit_json_object_or_empty(root, "none", &error), "a", 4, 0, 9, &error), 4);
    assert_false(dit_json_has(root, "z"));
    assert_true(dit_json_has(root, "n"));
    assert_fine(error);
    dit_json_int(dit_json_object_or_empty(root, "none", &error), "a", 0, 9, &error);
    assert_refused(&error, DIT_BAD_FILE, "\"none.a\" is missing");
    dit_json_close(file);
}

static void keys_that_nothing_reads_are_refused(void **state)
{
    (void)state;
    dit_json_file *file =
        parsed("{\"_class_name\":\"X\",\"a\":1,\"b\":{\"c\":2,\"d\":3},\"e\":null,\"a.b\":0,\"later\":null}", 0);
    dit_json root = dit_json_root(file);
    dit_error error = {0};
    dit_json_int(root, "a", 0, 9, &error);
    dit_json b = dit_json_object(root, "b", &error);
    dit_json_int(b, "c", 0, 9, &error);
    dit_json_int_or(root, "e", 1, 0, 9, &error);
    dit_json_refuse_unread(root, &error);
    assert_refused(&error, DIT_BAD_FILE, "config.json: \"a.b\" is unknown");
    error = (dit_error){0};
    dit_json_ignore(root, (const char *const[]){"a.b", "never_there", NULL}, &error);
    dit_json_refuse_unread(root, &error);
    assert_fine(error);
    dit_json_refuse_unread(b, &error);
    assert_refused(&error, DIT_BAD_FILE, "config.json: \"b.d\" is unknown");
    dit_json_close(file);
}

static void files_that_are_no_files_are_refused_at_once(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    dit_json_file *file;
    dit_error error = {0};
    dit_json_open(&file, scratch_path(&s, "absent.json"), 0, &error);
    assert_refused(&error, DIT_NO_FILE, "absent.json: cannot open", "No such file");
    error = (dit_error){0};
    dit_json_open(&file, s.folder, 0, &error);
    assert_refused(&error, DIT_NO_FILE, s.folder, "is a folder");
    error = (dit_error){0};
    assert_int_equal(mkfifo(scratch_path(&s, "fifo.json"), 0600), 0);
    dit_json_open(&file, s.path, 0, &error);
    assert_refused(&error, DIT_NO_FILE, "fifo.json", "not a regular file");
    error = (dit_error){0};
    dit_json_open(&file, "/dev/zero", 0, &error);
    assert_refused(&error, DIT_NO_FILE, "/dev/zero", "not a regular file");
    error = (dit_error){0};
    write_file(scratch_path(&s, "large.json"), "", 0);
    assert_int_equal(truncate(s.path, 1LL << 40), 0);
    dit_json_open(&file, s.path, 0, &error);
    assert_refused(&error, DIT_BAD_FILE, "large.json", "has 1099511627776 bytes", "at most 67108864");
    error = (dit_error){0};
    write_file(scratch_path(&s, "good.json"), "{\"a\": [1.5]}\n", 13);
    dit_json_open(&file, s.path, 0, &error);
    assert_fine(error);
    assert_string_equal(dit_json_file_name(file), s.path);
    dit_json_close(file);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_text_is_refused_with_file_and_line),
        cmocka_unit_test(deep_nesting_and_floods_of_values_are_refused),
        cmocka_unit_test(minus_infinity_is_read_for_one_key_when_asked),
        cmocka_unit_test(numbers_keep_their_value_and_type),
        cmocka_unit_test(getters_refuse_other_types_and_name_the_key),
        cmocka_unit_test(getters_give_values_and_defaults),
        cmocka_unit_test(keys_that_nothing_reads_are_refused),
        cmocka_unit_test(files_that_are_no_files_are_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
