// tests/text/tokenizer_test.c: ids and learned vocabularies are those of the `tokenizers` library; files that are not
// understood whole are refused.
#include "../io/support.h"
#include "io/json.h"
#include "text/bpe_learn.h"
#include "text/byte_level.h"
#include "text/tokenizer.h"

#define FIXTURES DIT_SOURCE_DIR "/tests/fixtures/tokenizer"

static dit_tokenizer *opened(const char *path)
{
    dit_error error = {0};
    dit_tokenizer *t;
    dit_tokenizer_open(&t, path, &error);
    assert_fine(error);
    return t;
}

static void assert_ids(const dit_tokenizer *t, json_t *row, const char *key, size_t most)
{
    dit_error error = {0};
    json_t *text = json_object_get(row, "text"), *expected = json_object_get(row, key);
    int32_t *ids;
    size_t count;
    dit_tokenizer_encode(t, json_string_value(text), json_string_length(text), most, &ids, &count, &error);
    assert_fine(error);
    bool same = count == json_array_size(expected);
    for (size_t i = 0; i < count && same; i++)
        same = ids[i] == json_integer_value(json_array_get(expected, i));
    if (!same) {
        print_error("\"%s\" (at most %zu) gives", json_string_value(text), most);
        for (size_t i = 0; i < count; i++)
            print_error(" %d", (int)ids[i]);
        print_error("\n");
    }
    assert_true(same);
    free(ids);
}

static void ids_are_the_librarys(void **state)
{
    (void)state;
    const char *const places[] = {FIXTURES, FIXTURES "/tokenizer.json"};
    for (int k = 0; k < 2; k++) {
        dit_tokenizer *t = opened(places[k]);
        size_t size, rows = 0;
        char *lines = read_file(FIXTURES "/ids.jsonl", &size);
        for (char *rest, *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
            json_t *row = json_loads(line, 0, NULL);
            assert_non_null(row);
            assert_ids(t, row, "ids", 0);
            assert_ids(t, row, "first", 4);
            json_decref(row);
            rows++;
        }
        assert_true(rows > 200);
        free(lines);
        dit_tokenizer_close(t);
    }
}

static void tokens_have_names(void **state)
{
    (void)state;
    dit_tokenizer *t = opened(FIXTURES);
    assert_int_equal(dit_tokenizer_find(t, "<pad>"), 0);
    assert_int_equal(dit_tokenizer_find(t, "<end>"), 1);
    assert_int_equal(dit_tokenizer_find(t, "no token"), -1);
    assert_string_equal(dit_tokenizer_token(t, 2), "!");
    assert_null(dit_tokenizer_token(t, dit_tokenizer_size(t)));
    assert_null(dit_tokenizer_token(t, -1));
    assert_in_range(dit_tokenizer_size(t), 300, 420);
    dit_tokenizer_close(t);
}

static void add_captions(dit_bpe_learner *learner, bool backwards)
{
    dit_error error = {0};
    size_t size, count = 0;
    char *text = read_file(FIXTURES "/captions.txt", &size), *lines[200];
    for (char *rest, *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        lines[count++] = line;
    for (size_t i = 0; i < count; i++) {
        const char *line = lines[backwards ? count - 1 - i : i];
        assert_int_equal(dit_bpe_learner_add(learner, line, strlen(line), &error), DIT_OK);
    }
    free(text);
}

static void learning_gives_the_librarys_file(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    json_t *expected = json_load_file(FIXTURES "/tokenizer.json", 0, NULL);
    assert_non_null(expected);
    for (int backwards = 0; backwards < 2; backwards++) {
        dit_error error = {0};
        int size;
        dit_bpe_learner *learner = dit_bpe_learner_new();
        assert_non_null(learner);
        add_captions(learner, backwards);
        assert_int_equal(dit_bpe_learner_save(learner, scratch_path(&s, "tokenizer.json"), 420, 2, &size, &error),
                         DIT_OK);
        json_t *made = json_load_file(s.path, 0, NULL);
        assert_true(json_equal(made, expected));
        json_decref(made);
        dit_tokenizer *t = opened(s.folder);
        assert_int_equal(dit_tokenizer_size(t), size);
        dit_tokenizer_close(t);
        dit_bpe_learner_free(learner);
    }
    json_decref(expected);
    scratch_remove(&s);
}

static void learning_stops_where_it_is_told(void **state)
{
    (void)state;
    static const struct {
        int size, least, reached;
    } cases[] = {{258, 1, 258}, {260, 1, 260}, {1000, 3, 261}, {1000, 4, 258}, {1000, 1, 266}};
    scratch s;
    scratch_make(&s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_error error = {0};
        int size;
        dit_bpe_learner *learner = dit_bpe_learner_new();
        for (int k = 0; k < 3; k++) // " cat" three times: three merges; " fishe" once: five more
            assert_int_equal(dit_bpe_learner_add(learner, "cat", 3, &error), DIT_OK);
        assert_int_equal(dit_bpe_learner_add(learner, "FISHE", 5, &error), DIT_OK);
        dit_bpe_learner_save(learner, scratch_path(&s, "t.json"), cases[i].size, cases[i].least, &size, &error);
        assert_fine(error);
        assert_int_equal(size, cases[i].reached);
        dit_bpe_learner_free(learner);
    }
    dit_error error = {0};
    dit_bpe_learner *learner = dit_bpe_learner_new();
    dit_bpe_learner_save(learner, scratch_path(&s, "t.json"), 257, 2, NULL, &error);
    assert_refused(&error, DIT_BAD_ARGUMENT, "257");
    error = (dit_error){0};
    dit_bpe_learner_add(learner, "a\xff", 2, &error);
    assert_refused(&error, DIT_BAD_ARGUMENT, "byte 2 is 0xff");
    dit_bpe_learner_free(learner);
    scratch_remove(&s);
}

static void text_that_is_not_utf8_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"a\xff", "\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "caf\xc3"};
    dit_tokenizer *t = opened(FIXTURES);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        dit_error error = {0};
        int32_t *ids;
        size_t count;
        dit_tokenizer_encode(t, texts[i], strlen(texts[i]), 0, &ids, &count, &error);
        assert_refused(&error, DIT_BAD_ARGUMENT, "is not UTF-8", "byte ");
        assert_null(ids);
    }
    dit_error error = {0};
    int32_t *ids;
    size_t count;
    dit_tokenizer_encode(t, "\0", 1, 0, &ids, &count, &error); // U+0000 is a character like others
    assert_fine(error);
    assert_int_equal(count, 3); // space, byte 0, <end>
    free(ids);
    dit_tokenizer_close(t);
}

static void a_long_word_takes_no_time(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    char *text = malloc(SIZE);
    assert_non_null(text);
    for (int i = 0; i < SIZE; i++)
        text[i] = "panda"[i % 5];
    dit_tokenizer *t = opened(FIXTURES);
    dit_error error = {0};
    int32_t *ids;
    size_t count;
    dit_tokenizer_encode(t, text, SIZE, 0, &ids, &count, &error);
    assert_fine(error);
    assert_true(count < SIZE / 2);
    free(ids);
    free(text);
    dit_tokenizer_close(t);
}

// ---- Files that are refused

// The committed file with one edit: `path` names a value ("model.type"), which becomes `value` (JSON) or, for NULL,
// goes.
static void refuse_edit(const char *path, const char *value, dit_status status, const char *word)
{
    scratch s;
    scratch_make(&s);
    json_t *root = json_load_file(FIXTURES "/tokenizer.json", 0, NULL), *at = root;
    char keys[200], *rest, *key;
    assert_non_null(root);
    snprintf(keys, sizeof keys, "%s", path);
    key = strtok_r(keys, ".", &rest);
    for (char *next; (next = strtok_r(NULL, ".", &rest)); key = next)
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(key)) : json_object_get(at, key);
    assert_non_null(at);
    json_t *new = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
    assert_true(!value || new);
    if (json_is_array(at))
        json_array_set_new(at, (size_t)atoi(key), new);
    else if (new)
        json_object_set_new(at, key, new);
    else
        json_object_del(at, key);
    json_dump_file(root, scratch_path(&s, "tokenizer.json"), 0);
    json_decref(root);
    dit_error error = {0};
    dit_tokenizer *t;
    dit_tokenizer_open(&t, s.folder, &error);
    assert_null(t);
    if (error.status != status || !strstr(error.message, word))
        print_error("%s = %s\n", path, value ? value : "nothing");
    assert_refused(&error, status, "tokenizer.json", word);
    scratch_remove(&s);
}

static void files_of_other_kinds_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *path, *value;
        dit_status status;
        const char *word;
    } cases[] = {
        {"model", NULL, DIT_BAD_FILE, "model"},
        {"model.type", "\"WordLevel\"", DIT_UNSUPPORTED, "model.type"},
        {"model.type", "\"WordPiece\"", DIT_BAD_FILE, "[UNK]"},
        {"model.type", "\"Unigram\"", DIT_BAD_FILE, "model.vocab"},
        {"model.dropout", "0.1", DIT_UNSUPPORTED, "model.dropout"},
        {"model.unk_token", "3", DIT_BAD_FILE, "model.unk_token"},
        {"model.byte_fallback", "1", DIT_BAD_FILE, "model.byte_fallback"},
        {"model.end_of_word_suffix", "\"0123456789012345678901234567890123456789012345678901234567890123456789\"",
         DIT_BAD_FILE, "model.end_of_word_suffix"},
        {"model.surprise", "1", DIT_BAD_FILE, "surprise"},
        {"model.vocab", "{}", DIT_BAD_FILE, "not in the vocabulary"},
        {"model.vocab.a", "3", DIT_BAD_FILE, "has the id 3"},
        {"model.vocab.a", "-1", DIT_BAD_FILE, "id -1"},
        {"model.vocab.a", "1000000000000", DIT_BAD_FILE, "id 1000000000000"},
        {"model.vocab.a", "\"a\"", DIT_BAD_FILE, "integer"},
        {"model.merges", "{}", DIT_BAD_FILE, "merges"},
        {"model.merges.3", "[\"a\"]", DIT_BAD_FILE, "place 3"},
        {"model.merges.3", "[\"a\", \"b\", \"c\"]", DIT_BAD_FILE, "place 3"},
        {"model.merges.3", "[\"a\", 3]", DIT_BAD_FILE, "place 3"},
        {"model.merges.3", "\"ab\"", DIT_BAD_FILE, "place 3"},
        {"model.merges.3", "\"a \"", DIT_BAD_FILE, "place 3"},
        {"model.merges.3", "[\"~\", \"~\"]", DIT_BAD_FILE, "not in the vocabulary"},
        {"model.merges.3", "[\"no token\", \"a\"]", DIT_BAD_FILE, "place 3"},
        {"added_tokens.0.content", "\"\"", DIT_BAD_FILE, "content"},
        {"added_tokens.0.id", "1", DIT_BAD_FILE, "has the id 0"},
        {"added_tokens.0.lstrip", "1", DIT_BAD_FILE, "lstrip"},
        {"added_tokens.0", "3", DIT_BAD_FILE, "added_tokens"},
        {"normalizer.type", "\"Precompiled\"", DIT_BAD_FILE, "normalizer.precompiled_charsmap"},
        {"normalizer.type", "\"Surprise\"", DIT_UNSUPPORTED, "normalizer.type"},
        {"normalizer.normalizers.0.type", "\"Surprise\"", DIT_UNSUPPORTED, "normalizers.0.type"},
        {"normalizer.normalizers.2.strip_left", "1", DIT_BAD_FILE, "strip_left"},
        {"pre_tokenizer.type", "\"Surprise\"", DIT_UNSUPPORTED, "pre_tokenizer.type"},
        {"pre_tokenizer.type", "\"Whitespace\"", DIT_BAD_FILE, "add_prefix_space"},
        {"pre_tokenizer.use_regex", "1", DIT_BAD_FILE, "use_regex"},
        {"post_processor.type", "\"Surprise\"", DIT_UNSUPPORTED, "post_processor.type"},
        {"post_processor.type", "\"BertProcessing\"", DIT_BAD_FILE, "post_processor.cls"},
        {"post_processor.single", "[]", DIT_BAD_FILE, "no place for the text"},
        {"post_processor.special_tokens", "{}", DIT_BAD_FILE, "<end>"},
        {"post_processor.special_tokens.<end>.ids", "[100000]", DIT_BAD_FILE, "ids"},
        {"truncation", "{\"max_length\": -3}", DIT_BAD_FILE, "truncation.max_length"},
        {"truncation", "{\"surprise\": 3}", DIT_BAD_FILE, "truncation.surprise"},
        {"padding", "{\"direction\": \"Up\"}", DIT_BAD_FILE, "padding.direction"},
        {"surprise", "1", DIT_BAD_FILE, "surprise"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse_edit(cases[i].path, cases[i].value, cases[i].status, cases[i].word);
}

static void ids_around_a_text_must_be_tokens(void **state)
{
    (void)state;
    static const char pair[] = "{\"type\": \"BertProcessing\", \"cls\": [\"<pad>\", 0], \"sep\": [\"x\", %d]}";
    static const char hole[] = "{\"type\": \"BPE\", \"vocab\": {\"a\": 5}, \"merges\": []}";
    char text[128];
    snprintf(text, sizeof text, pair, 100000);
    refuse_edit("post_processor", text, DIT_BAD_FILE, "post_processor.sep");
    // "<pad>" is 0 and "<end>" 1 by added_tokens; of this vocabulary 5 is a token, and 2 is not.
    scratch s;
    dit_error error = {0};
    dit_tokenizer *t;
    json_t *root = json_load_file(FIXTURES "/tokenizer.json", 0, NULL);
    json_object_set_new(root, "model", json_loads(hole, 0, NULL));
    scratch_make(&s);
    for (int id = 1; id < 3; id++) {
        snprintf(text, sizeof text, pair, id);
        json_object_set_new(root, "post_processor", json_loads(text, 0, NULL));
        json_dump_file(root, scratch_path(&s, "tokenizer.json"), 0);
        dit_tokenizer_open(&t, s.folder, &error);
        if (id == 1)
            assert_fine(error);
        dit_tokenizer_close(t);
    }
    assert_refused(&error, DIT_BAD_FILE, "tokenizer.json", "post_processor.sep");
    json_decref(root);
    scratch_remove(&s);
}

static void a_doubled_merge_is_refused(void **state)
{
    (void)state;
    json_t *root = json_load_file(FIXTURES "/tokenizer.json", 0, NULL);
    char *first = json_dumps(json_array_get(json_object_get(json_object_get(root, "model"), "merges"), 0), 0);
    refuse_edit("model.merges.3", first, DIT_BAD_FILE, "same tokens as merge 0");
    free(first);
    json_decref(root);
}

static void every_byte_has_a_character_of_its_own(void **state)
{
    (void)state;
    char texts[256][4];
    for (int byte = 0; byte < 256; byte++) {
        dit_byte_to_text((uint8_t)byte, texts[byte]);
        for (int before = 0; before < byte; before++)
            assert_string_not_equal(texts[byte], texts[before]);
    }
    assert_string_equal(texts['a'], "a");
    assert_string_equal(texts[' '], "\u0120");
    assert_string_equal(texts[0], "\u0100");
    assert_string_equal(texts[0xad], "\u0143");
    assert_string_equal(texts[0xff], "\u00ff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_the_librarys),
        cmocka_unit_test(tokens_have_names),
        cmocka_unit_test(learning_gives_the_librarys_file),
        cmocka_unit_test(learning_stops_where_it_is_told),
        cmocka_unit_test(text_that_is_not_utf8_is_refused),
        cmocka_unit_test(a_long_word_takes_no_time),
        cmocka_unit_test(files_of_other_kinds_are_refused),
        cmocka_unit_test(ids_around_a_text_must_be_tokens),
        cmocka_unit_test(a_doubled_merge_is_refused),
        cmocka_unit_test(every_byte_has_a_character_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
