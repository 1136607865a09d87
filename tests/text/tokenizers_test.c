// tests/text/tokenizers_test.c: tokenizers of every published kind give the ids of the libraries that they come from
// (tools/fixtures/text_tokenizers.py), and folders that contradict themselves are refused.
#include "../io/support.h"
#include "text/character.h"
#include "text/padded.h"
#include "text/tokenizer.h"
#include <jansson.h>

#define FIXTURES DIT_SOURCE_DIR "/tests/fixtures/tokenizers"

static char *read_whole(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    bytes[*size] = 0;
    fclose(file);
    return bytes;
}

static void assert_ids(const dit_tokenizer *t, const char *kind, const char *line, size_t size, const char *expected)
{
    dit_error error = {0};
    char *text;
    size_t text_size, count;
    int32_t *ids;
    json_t *row = json_loads(expected, 0, NULL);
    assert_non_null(row);
    dit_text_repair(line, size, &text, &text_size, &error);
    assert_fine(error);
    dit_tokenizer_encode(t, text, text_size, 0, &ids, &count, &error);
    assert_fine(error);
    bool same = count == json_array_size(row);
    for (size_t i = 0; i < count && same; i++)
        same = ids[i] == json_integer_value(json_array_get(row, i));
    if (!same) {
        print_error("%s: \"%s\" gives [", kind, text);
        for (size_t i = 0; i < count; i++)
            print_error("%s%d", i ? ", " : "", (int)ids[i]);
        print_error("], not %s\n", expected);
    }
    assert_true(same);
    json_decref(row);
    free(text);
    free(ids);
}

// Compares a tokenizer with FIXTURES/KIND/ids.txt on all lines, and closes it.
static void check_ids(dit_tokenizer *t, const char *kind, const char *lines, size_t size)
{
    char path[512];
    size_t ids_size, rows = 0;
    snprintf(path, sizeof path, FIXTURES "/%s/ids.txt", kind);
    char *ids = read_whole(path, &ids_size), *row = ids;
    for (const char *line = lines; line < lines + size; rows++) {
        const char *end = memchr(line, '\n', (size_t)(lines + size - line));
        char *row_end = strchr(row, '\n');
        assert_non_null(row_end);
        *row_end = 0;
        assert_ids(t, kind, line, (size_t)(end - line), row);
        line = end + 1;
        row = row_end + 1;
    }
    assert_int_equal(rows, 250);
    free(ids);
    dit_tokenizer_close(t);
}

// The tokenizer in FIXTURES/KIND, or in a file of it.
static void check_kind(const char *kind, const char *file, const char *lines, size_t size)
{
    char path[512];
    dit_error error = {0};
    dit_tokenizer *t;
    snprintf(path, sizeof path, FIXTURES "/%s/%s", kind, file);
    dit_tokenizer_open(&t, path, &error);
    assert_fine(error);
    check_ids(t, kind, lines, size);
}

static void ids_are_the_libraries(void **state)
{
    (void)state;
    static const char *const kinds[] = {"bert",      "bert-chinese", "bert-files", "clip",        "clip-files",
                                        "gemma",     "gemma-model",  "gpt2-files", "llama",       "llama-model",
                                        "llama3",    "mt5-spiece",   "qwen2",      "qwen2-files", "t5",
                                        "t5-spiece", "unigram"};
    size_t size;
    char *lines = read_whole(FIXTURES "/lines.bin", &size);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        check_kind(kinds[k], "", lines, size);
    free(lines);
}

// tools/fixtures/tokenizer_gguf.py
static void tokenizers_in_gguf_files_give_the_same_ids(void **state)
{
    (void)state;
    static const char *const kinds[] = {"gemma-model", "llama-model", "llama3", "qwen2-files", "t5-spiece"};
    size_t size;
    char *lines = read_whole(FIXTURES "/lines.bin", &size);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        char path[512];
        snprintf(path, sizeof path, FIXTURES "/%s/tokenizer.gguf", kinds[k]);
        assert_true(dit_tokenizer_in_gguf(path));
        check_kind(kinds[k], "tokenizer.gguf", lines, size);
    }
    free(lines);
    assert_false(dit_tokenizer_in_gguf(FIXTURES "/t5/tokenizer.json"));
    assert_false(dit_tokenizer_in_gguf(FIXTURES "/../gguf/values.gguf"));
}

static void bytes_of_a_sentencepiece_model_give_the_same_ids(void **state)
{
    (void)state;
    static const char *const kinds[][3] = {{"gemma-model", "tokenizer.model", "GemmaTokenizer"},
                                           {"t5-spiece", "spiece.model", "T5Tokenizer"}};
    size_t size, bytes_size;
    char *lines = read_whole(FIXTURES "/lines.bin", &size);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        char path[512];
        dit_error error = {0};
        dit_tokenizer *t;
        snprintf(path, sizeof path, FIXTURES "/%s/%s", kinds[k][0], kinds[k][1]);
        char *bytes = read_whole(path, &bytes_size);
        dit_tokenizer_open_pieces(&t, "x.safetensors", kinds[k][2], bytes, bytes_size, &error);
        assert_fine(error);
        free(bytes);
        check_ids(t, kinds[k][0], lines, size);
    }
    dit_error error = {0};
    dit_tokenizer *t;
    dit_tokenizer_open_pieces(&t, "x.safetensors", "T5Tokenizer", lines, size, &error);
    assert_refused(&error, DIT_BAD_FILE, "x.safetensors", "broken piece");
    assert_null(t);
    free(lines);
}

static void folders_tell_their_habits(void **state)
{
    (void)state;
    static const struct {
        const char *folder;
        size_t most;
        bool pad_left;
        const char *pad;
    } cases[] = {{"clip-files", 77, false, "<|endoftext|>"},
                 {"t5-spiece", 512, false, "<pad>"},
                 {"mt5-spiece", 0, false, "<pad>"},
                 {"gemma-model", 0, true, "<pad>"},
                 {"bert", 128, false, "[PAD]"},
                 {"bert-files", 512, false, "[PAD]"},
                 {"qwen2", 0, false, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[512];
        dit_error error = {0};
        dit_tokenizer *t;
        snprintf(path, sizeof path, FIXTURES "/%s", cases[i].folder);
        dit_tokenizer_open(&t, path, &error);
        assert_fine(error);
        dit_tokenizer_habits habits = dit_tokenizer_ask(t);
        assert_int_equal(habits.most, cases[i].most);
        assert_int_equal(habits.pad_left, cases[i].pad_left);
        assert_int_equal(habits.pad_id, cases[i].pad ? dit_tokenizer_find(t, cases[i].pad) : -1);
        dit_tokenizer_close(t);
    }
}

static void texts_are_filled_up_on_the_side_of_the_habit(void **state)
{
    (void)state;
    static const char *const folders[] = {"clip-files", "gemma-model"};
    for (int left = 0; left < 2; left++) {
        char path[512];
        dit_error error = {0};
        dit_tokenizer *t;
        int64_t ids[32];
        uint8_t mask[32];
        snprintf(path, sizeof path, FIXTURES "/%s", folders[left]);
        dit_tokenizer_open(&t, path, &error);
        assert_fine(error);
        dit_encode_padded(t, "cat", 32, ids, mask, &error);
        assert_fine(error);
        assert_int_equal(mask[left ? 31 : 0], 1);
        assert_int_equal(mask[left ? 0 : 31], 0);
        assert_int_equal(ids[left ? 0 : 31], dit_tokenizer_ask(t).pad_id);
        dit_tokenizer_close(t);
    }
}

// ---- Folders that are refused

static void put(scratch *s, const char *name, const char *text)
{
    FILE *file = fopen(scratch_path(s, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void broken_folders_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *other_name, *other_text;
        dit_status status;
        const char *word;
    } cases[] = {
        {"nothing.txt", "", NULL, NULL, DIT_NO_FILE, "holds no tokenizer"},
        {"vocab.json", "{\"a\": 0}", NULL, NULL, DIT_NO_FILE, "merges.txt"},
        {"vocab.json", "{\"a\": 0}", "merges.txt", "a a\n", DIT_BAD_FILE, "line 1"},
        {"vocab.json", "{\"a\": 0, \"aa\": 1}", "merges.txt", "#version: 0.2\na a\n\n", DIT_BAD_FILE, "line 3"},
        {"vocab.json", "{\"a\": 0, \"aa\": 1}", "merges.txt", "a a\na a\n", DIT_BAD_FILE, "line 2"},
        {"vocab.json", "{\"a\": 0, \"b\": 0}", "merges.txt", "", DIT_BAD_FILE, "\"b\""},
        {"vocab.json", "{\"a\": 0.5}", "merges.txt", "", DIT_BAD_FILE, "\"a\""},
        {"vocab.json", "[]", "merges.txt", "", DIT_BAD_FILE, "object"},
        {"vocab.txt", "a\nb\n", NULL, NULL, DIT_BAD_FILE, "[UNK]"},
        {"vocab.txt", "[UNK]\n\xff\n", NULL, NULL, DIT_BAD_FILE, "UTF-8"},
        {"vocab.txt", "[UNK]\n", "tokenizer_config.json", "{\"tokenizer_class\": \"T5Tokenizer\"}", DIT_UNSUPPORTED,
         "tokenizer_class"},
        {"vocab.txt", "[UNK]\n", "tokenizer_config.json", "{\"tokenizer_class\": \"Surprise\"}", DIT_UNSUPPORTED,
         "Surprise"},
        {"vocab.txt", "[UNK]\n", "tokenizer_config.json", "{\"do_lower_case\": 3}", DIT_BAD_FILE, "do_lower_case"},
        {"vocab.txt", "[UNK]\n", "tokenizer_config.json", "{\"padding_side\": \"up\"}", DIT_BAD_FILE, "padding_side"},
        {"vocab.txt", "[UNK]\n", "tokenizer_config.json", "{\"added_tokens_decoder\": {\"0\": {\"content\": \"x\"}}}",
         DIT_BAD_FILE, "\"x\""},
        {"vocab.txt", "[UNK]\n", "tokenizer_config.json", "{\"added_tokens_decoder\": {\"x\": {\"content\": \"x\"}}}",
         DIT_BAD_FILE, "added_tokens_decoder"},
        {"vocab.txt", "[UNK]\n", "added_tokens.json", "{\"x\": -1}", DIT_BAD_FILE, "\"x\""},
        {"spiece.model", "", NULL, NULL, DIT_BAD_FILE, "SentencePiece"},
        {"spiece.model", "\x0a\x7f", NULL, NULL, DIT_BAD_FILE, "SentencePiece"},
        {"spiece.model", "\x0a\x03\x0a\x01\xff", NULL, NULL, DIT_BAD_FILE, "no text"},
        {"spiece.model", "\x0a\x03\x0a\x01\x61", NULL, NULL, DIT_BAD_FILE, "three special ones"},
        {"tokenizer.model", "\x0a\x03\x0a\x01\x61", NULL, NULL, DIT_UNSUPPORTED, "of kind 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scratch s;
        dit_error error = {0};
        dit_tokenizer *t;
        scratch_make(&s);
        put(&s, cases[i].name, cases[i].text);
        if (cases[i].other_name)
            put(&s, cases[i].other_name, cases[i].other_text);
        dit_tokenizer_open(&t, s.folder, &error);
        if (t)
            print_error("case %zu is not refused\n", i);
        assert_null(t);
        assert_refused(&error, cases[i].status, cases[i].word);
        scratch_remove(&s);
    }
}

static void broken_text_is_repaired_as_unicode_advises(void **state)
{
    (void)state;
    static const struct {
        const char *broken, *repaired;
    } cases[] = {{"a\xff", "a\ufffd"},
                 {"\xe2\x82x", "\ufffdx"},
                 {"\xf0\x9f\x98", "\ufffd"},
                 {"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
                 {"\xc0\xaf", "\ufffd\ufffd"},
                 {"\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"},
                 {"\xe2\x28\xa1", "\ufffd(\ufffd"},
                 {"\xf0\x80", "\ufffd\ufffd"},
                 {"caf\u00e9", "caf\u00e9"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dit_error error = {0};
        char *text;
        size_t size;
        dit_text_repair(cases[i].broken, strlen(cases[i].broken), &text, &size, &error);
        assert_fine(error);
        assert_string_equal(text, cases[i].repaired);
        assert_int_equal(size, strlen(text));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_the_libraries),
        cmocka_unit_test(tokenizers_in_gguf_files_give_the_same_ids),
        cmocka_unit_test(bytes_of_a_sentencepiece_model_give_the_same_ids),
        cmocka_unit_test(folders_tell_their_habits),
        cmocka_unit_test(texts_are_filled_up_on_the_side_of_the_habit),
        cmocka_unit_test(broken_folders_are_refused),
        cmocka_unit_test(broken_text_is_repaired_as_unicode_advises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
