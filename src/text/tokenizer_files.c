// text/tokenizer_files.c: SentencePiece files, vocab.json with merges.txt, and vocab.txt, and the steps that their
// classes put around them. Source: transformers 5 (tokenization_clip.py, _t5.py, _gemma.py, _llama.py, _gpt2.py,
// _qwen2.py, _bert.py), whose classes build what published tokenizer.json files hold.
#include "text/tokenizer_files.h"
#include "io/file.h"
#include "text/sentencepiece.h"
#include <stdlib.h>
#include <string.h>

#define SPLIT_REGEX(pattern, behavior, invert)                                                                         \
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern "\"},\"behavior\":\"" behavior "\",\"invert\":" invert "}"
#define BYTE_LEVEL(prefix, regex)                                                                                      \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":" prefix ",\"trim_offsets\":true,\"use_regex\":" regex "}"
#define METASPACE(scheme, split)                                                                                       \
    "{\"type\":\"Metaspace\",\"replacement\":\"\u2581\",\"prepend_scheme\":\"" scheme "\",\"split\":" split "}"

enum { T5, CLIP, BERT, GPT2, QWEN2, LLAMA3, LLAMA, GEMMA, CLASSES };
static const struct dit_tokenizer_class classes[CLASSES] = {
    [T5] = {"T5Tokenizer",
            "spiece.model",
            {"", "</s>", "<unk>", "", "<pad>", "", ""},
            "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"}," METASPACE(
                "always", "true") "]}",
            -1,
            DIT_CLASS_EOS,
            false},
    [CLIP] = {"CLIPTokenizer",
              "vocab.json",
              {"<|startoftext|>", "<|endoftext|>", "<|endoftext|>", "", "<|endoftext|>", "", ""},
              "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Replace\","
              "\"pattern\":{\"Regex\":\"\\\\s+\"},\"content\":\" \"},{\"type\":\"Lowercase\"}]},"
              "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" SPLIT_REGEX(
                  "<\\\\|startoftext\\\\|>|<\\\\|endoftext\\\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\\\p{L}]+|[\\\\p{N}]|"
                  "[^\\\\s\\\\p{L}\\\\p{N}]+",
                  "Removed", "true") "," BYTE_LEVEL("false", "true") "]}",
              DIT_CLASS_BOS,
              DIT_CLASS_EOS,
              false},
    [BERT] = {"BertTokenizer",
              "vocab.txt",
              {"", "", "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"}, // normalizer: by settings
              "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}",
              DIT_CLASS_CLS,
              DIT_CLASS_SEP,
              false},
    [GPT2] = {"GPT2Tokenizer",
              "",
              {"<|endoftext|>", "<|endoftext|>", "<|endoftext|>", "", "", "", ""},
              "\"pre_tokenizer\":" BYTE_LEVEL("false", "true"),
              -1,
              -1,
              false},
    [QWEN2] =
        {"Qwen2Tokenizer",
         "",
         {"", "<|endoftext|>", "<|endoftext|>", "", "<|endoftext|>", "", ""},
         "\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" SPLIT_REGEX(
             "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{N}]+"
             "[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+",
             "Isolated", "false") "," BYTE_LEVEL("false", "false") "]}",
         -1,
         -1,
         false},
    [LLAMA3] = {"Llama3Tokenizer", // a name for GGUF files; folders of it hold a tokenizer.json
                "",
                {"<|begin_of_text|>", "<|end_of_text|>", "", "", "", "", ""},
                "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[" SPLIT_REGEX(
                    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}{1,3}| "
                    "?[^\\\\s\\\\p{L}\\\\p{N}]+"
                    "[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+",
                    "Isolated", "false") "," BYTE_LEVEL("false", "false") "]}",
                DIT_CLASS_BOS,
                -1,
                false},
    [LLAMA] = {"LlamaTokenizer",
               "tokenizer.model",
               {"<s>", "</s>", "<unk>", "", "", "", ""},
               "\"pre_tokenizer\":" METASPACE("first", "false"),
               -1,
               -1,
               true},
    [GEMMA] =
        {"GemmaTokenizer",
         "",
         {"<bos>", "<eos>", "<unk>", "", "<pad>", "", "<mask>"},
         "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\u2581\"},"
         "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\" \"},\"behavior\":\"MergedWithPrevious\","
         "\"invert\":false}",
         -1,
         -1,
         true},
};

static dit_status no_memory(const struct dit_tokenizer_folder *f, dit_error *error)
{
    return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its tokens", f->path);
}

static const char *token_of(const struct dit_tokenizer_folder *f, const struct dit_tokenizer_class *class, int which,
                            dit_error *error)
{
    static const char *const keys[DIT_CLASS_TOKENS] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                                       "pad_token", "cls_token", "mask_token"};
    return dit_folder_token(f, keys[which], class->tokens[which], error);
}

// ---- SentencePiece

static dit_status add_piece(const struct dit_tokenizer_folder *f, const char *path, const char *text, size_t size,
                            double score, dit_error *error)
{
    dit_tokenizer *t = f->tokenizer;
    dit_unigram *m = &t->unigram;
    dit_error fault = {0};
    int id = t->vocabulary.size;
    if (dit_vocabulary_add(&t->vocabulary, text, size, id, &fault))
        return dit_fail(error, fault.status, "%s: piece %d %s", path, id, fault.message);
    if (!dit_grow(&m->score, &m->score_room, (size_t)id + 1, sizeof *m->score))
        return no_memory(f, error);
    m->score[id] = score;
    m->least = id == 0 || score < m->least ? score : m->least;
    return DIT_OK;
}

// T5's tokens for gaps in a text come after the pieces, the last one first. They are recognised in texts.
static dit_status add_extra_ids(const struct dit_tokenizer_folder *f, const char *path, dit_error *error)
{
    enum { MOST = 10000 };
    int64_t count = dit_folder_number(f, "extra_ids", 100, error);
    if (!error->status && count > MOST)
        return dit_json_fail(dit_json_root(f->config), "extra_ids", error, "is %lld; at most %d are known to occur",
                             (long long)count, MOST);
    for (int64_t i = count - 1; i >= 0 && !error->status; i--) {
        const char *text = dit_arena_printf(f->tokenizer->arena, "<extra_id_%d>", (int)i);
        if (!text)
            return no_memory(f, error);
        if (!add_piece(f, path, text, strlen(text), 0, error))
            dit_tokenizer_add(f->tokenizer, (dit_added_token){.content = text, .special = true}, -1, error);
    }
    return error->status;
}

// The merges that make one token: every way to cut it into two tokens, the shortest first part first. `tries` counts
// what a hostile file makes us do.
static dit_status derive_merges_of(dit_tokenizer *t, const dit_trie *trie, int id, int64_t *tries, dit_error *error)
{
    enum { MOST_TRIES = 1 << 24 };
    const dit_vocabulary *v = &t->vocabulary;
    size_t size;
    const char *text = dit_vocabulary_text(v, id, &size);
    uint32_t node = 0;
    for (size_t n = 1; n < size && (node = dit_trie_child(trie, node, (uint8_t)text[n - 1])); n++) {
        int first = trie->value[node];
        if (first < 0)
            continue;
        if (++*tries > MOST_TRIES)
            return dit_fail(error, DIT_BAD_FILE, "its pieces can be put together in too many ways");
        int second = dit_vocabulary_find(v, text + n, size - n);
        if (second >= 0 && dit_bpe_add(&t->bpe.merges, first, second, id, error))
            return error->status;
    }
    return DIT_OK;
}

// Which tokens merge, and in which order, follows from the vocabulary: those that make a token with a smaller id come
// first.
static dit_status derive_merges(const struct dit_tokenizer_folder *f, const char *path, dit_error *error)
{
    enum { LONGEST = 256 };
    dit_unigram all = {0}; // for its trie of the vocabulary
    dit_vocabulary *v = &f->tokenizer->vocabulary;
    dit_error fault = {0};
    int64_t tries = 0;
    dit_unigram_prepare(&all, v, &fault);
    for (int id = 0; id < v->size && !fault.status; id++) {
        size_t size;
        const char *text = dit_vocabulary_text(v, id, &size);
        if (size > LONGEST)
            dit_fail(&fault, DIT_BAD_FILE, "piece %d has %zu bytes; at most %d are known to occur", id, size, LONGEST);
        else if (dit_vocabulary_find(v, text, size) == id) // else the same text has a later id
            derive_merges_of(f->tokenizer, &all.trie, id, &tries, &fault);
    }
    dit_unigram_free(&all);
    return fault.status ? dit_fail(error, fault.status, "%s: %s", path, fault.message) : DIT_OK;
}

dit_status dit_folder_add_pieces(const struct dit_tokenizer_folder *f, const struct dit_tokenizer_class *class,
                                 const dit_sentencepiece *s, const char *path, dit_error *error)
{
    dit_tokenizer *t = f->tokenizer;
    bool unigram = class == &classes[T5];
    for (size_t i = 0; i < s->count; i++)
        if (add_piece(f, path, s->piece[i].text, s->piece[i].size, s->piece[i].score, error))
            return error->status;
    for (size_t i = 0; i < s->count && !error->status; i++)
        if (s->piece[i].size > 0 &&
            (s->piece[i].kind == DIT_PIECE_CONTROL || s->piece[i].kind == DIT_PIECE_USER_DEFINED)) {
            size_t size;
            const char *text = dit_arena_copy_text(t->arena, dit_vocabulary_text(&t->vocabulary, (int)i, &size));
            if (!text)
                return no_memory(f, error);
            dit_tokenizer_add(t, (dit_added_token){.content = text, .special = s->piece[i].kind == DIT_PIECE_CONTROL},
                              -1, error);
        }
    if (error->status)
        return error->status;
    t->kind = unigram ? DIT_MODEL_UNIGRAM : DIT_MODEL_BPE;
    if (unigram) {
        enum { UNKNOWN = 2 }; // T5's, whatever the file says
        t->unigram.unknown = UNKNOWN;
        if (s->count <= UNKNOWN)
            return dit_fail(error, DIT_BAD_FILE, "%s: has %zu pieces; a T5 vocabulary starts with three special ones",
                            path, s->count);
        if (s->charsmap && dit_charsmap_open(&t->charsmap, s->charsmap, s->charsmap_size, error))
            return dit_error_locate(error, path), error->status;
        return add_extra_ids(f, path, error);
    }
    t->bpe.prefix = t->bpe.suffix = "";
    t->bpe.fuse_unknown = t->bpe.byte_fallback = true;
    const char *unknown = class == &classes[GEMMA] ? token_of(f, class, DIT_CLASS_UNK, error) : "";
    t->bpe.unknown = dit_vocabulary_find(&t->vocabulary, unknown, strlen(unknown));
    if (t->bpe.unknown < 0)
        t->bpe.unknown = *unknown ? DIT_LOST_UNKNOWN : DIT_NO_UNKNOWN;
    return derive_merges(f, path, error);
}

// Of a file where `bytes` is NULL.
static dit_status read_sentencepiece(const struct dit_tokenizer_folder *f, const struct dit_tokenizer_class *class,
                                     const char *path, const char *bytes, size_t size, dit_error *error)
{
    dit_sentencepiece s;
    if (bytes ? dit_sentencepiece_parse(&s, path, bytes, size, error) : dit_sentencepiece_open(&s, path, error))
        return error->status;
    int wanted = class == &classes[T5] ? DIT_SENTENCEPIECE_UNIGRAM : DIT_SENTENCEPIECE_BPE;
    if (s.model != wanted)
        dit_fail(error, DIT_UNSUPPORTED, "%s: its model is of kind %d; a %s has kind %d here", path, s.model,
                 class->name, wanted);
    else
        dit_folder_add_pieces(f, class, &s, path, error);
    dit_sentencepiece_close(&s);
    return error->status;
}

dit_status dit_tokenizer_read_pieces(dit_tokenizer *t, const char *path, const char *class_name, const char *bytes,
                                     size_t size, dit_error *error)
{
    static const char config[] = "{\"add_bos_token\": true, \"added_tokens_decoder\": {}}"; // as Gemma's and Llama's
    const struct dit_tokenizer_class *class = dit_folder_class(class_name);
    struct dit_tokenizer_folder f = {.tokenizer = t, .path = path};
    if (!dit_json_parse(&f.config, path, config, sizeof config - 1, 0, error) &&
        !read_sentencepiece(&f, class, path, bytes, size, error))
        dit_folder_complete(&f, class, error);
    dit_json_close(f.config);
    return error->status;
}

// ---- Texts

// The next line of a text; false at its end.
static bool next_line(char **rest, char **line)
{
    if (!*rest || !**rest)
        return false;
    *line = *rest;
    char *end = strchr(*rest, '\n');
    *rest = end ? end + 1 : NULL;
    if (end)
        *end = 0;
    return true;
}

// A text file: UTF-8 without zero bytes.
static dit_status read_text(const char *path, char **text, dit_error *error)
{
    enum { LARGEST = 64 << 20 };
    size_t size;
    dit_error fault = {0};
    if (dit_file_read(path, LARGEST, text, &size, error))
        return error->status;
    if (!dit_text_check(*text, size, path, &fault) && !memchr(*text, 0, size))
        return DIT_OK;
    free(*text);
    *text = NULL;
    return dit_fail(error, DIT_BAD_FILE, "%s", fault.status ? fault.message : "a vocabulary holds a zero byte");
}

dit_status dit_folder_add_merge(const struct dit_tokenizer_folder *f, const char *pair, size_t size, dit_error *fault)
{
    const dit_vocabulary *v = &f->tokenizer->vocabulary;
    const char *space = memchr(pair, ' ', size), *second = space ? space + 1 : pair + size;
    size_t first = space ? (size_t)(space - pair) : size, rest = (size_t)(pair + size - second);
    int a = dit_vocabulary_find(v, pair, first), b = dit_vocabulary_find(v, second, rest);
    int joined = dit_vocabulary_find_joined(v, pair, first, second, rest);
    if (!first || !rest || memchr(second, ' ', rest) || a < 0 || b < 0 || joined < 0)
        return dit_fail(fault, DIT_BAD_FILE, "is not a pair of tokens that join to a third");
    return dit_bpe_add(&f->tokenizer->bpe.merges, a, b, joined, fault);
}

static dit_status read_merges(const struct dit_tokenizer_folder *f, const char *path, dit_error *error)
{
    char *text = NULL, *line, *rest;
    if (read_text(path, &text, error))
        return error->status;
    rest = text;
    for (int number = 1; next_line(&rest, &line) && !error->status; number++) {
        size_t n = strlen(line);
        if (n && line[n - 1] == '\r')
            line[--n] = 0;
        dit_error fault = {0};
        if (strncmp(line, "#version", 8) && dit_folder_add_merge(f, line, n, &fault))
            dit_fail(error, fault.status, "%s: line %d: %s", path, number, fault.message);
    }
    free(text);
    return error->status;
}

void dit_folder_start_bpe(const struct dit_tokenizer_folder *f, const struct dit_tokenizer_class *class)
{
    dit_tokenizer *t = f->tokenizer;
    t->kind = DIT_MODEL_BPE;
    t->bpe.prefix = "";
    t->bpe.suffix = class == &classes[CLIP] ? "</w>" : "";
    t->bpe.unknown = DIT_NO_UNKNOWN;
    t->bpe.whole_words = class == &classes[LLAMA3];
}

// vocab.json: {"token": id}, and merges.txt beside it.
static dit_status read_vocab_json(struct dit_tokenizer_folder *f, const struct dit_tokenizer_class *class,
                                  const char *path, dit_error *error)
{
    dit_tokenizer *t = f->tokenizer;
    dit_json_file *file = NULL;
    const char *token, *merges = dit_arena_printf(t->arena, "%s/merges.txt", f->path);
    json_t *value;
    if (!merges)
        return no_memory(f, error);
    if (dit_json_open(&file, path, 0, error))
        return error->status;
    dit_json root = dit_json_root(file);
    if (!json_is_object(root.value))
        dit_fail(error, DIT_BAD_FILE, "%s: must be an object of tokens and their ids", path);
    json_object_foreach(root.value, token, value)
    {
        dit_error fault = {0};
        int64_t id = dit_json_int(root, token, 0, DIT_MOST_TOKENS - 1, error);
        if (error->status || !dit_vocabulary_add(&t->vocabulary, token, strlen(token), id, &fault))
            continue;
        dit_json_fail(root, token, error, "%s", fault.message);
    }
    dit_json_close(file);
    dit_folder_start_bpe(f, class);
    if (class == &classes[CLIP]) {
        const char *unknown = token_of(f, class, DIT_CLASS_UNK, error);
        t->bpe.unknown = dit_vocabulary_find(&t->vocabulary, unknown, strlen(unknown));
        t->bpe.unknown = t->bpe.unknown < 0 ? DIT_LOST_UNKNOWN : t->bpe.unknown;
    }
    return error->status ? error->status : read_merges(f, merges, error);
}

// vocab.txt: a token a line, its id the line's place.
static dit_status read_vocab_txt(struct dit_tokenizer_folder *f, const struct dit_tokenizer_class *class,
                                 const char *path, dit_error *error)
{
    dit_tokenizer *t = f->tokenizer;
    char *text = NULL, *line, *rest;
    if (read_text(path, &text, error))
        return error->status;
    rest = text;
    for (int id = 0; next_line(&rest, &line) && !error->status; id++) {
        size_t size = strlen(line);
        dit_error fault = {0};
        while (size > 0 && dit_is_space(dit_last_character(line, size).code))
            size -= dit_last_character(line, size).size;
        if (dit_vocabulary_add(&t->vocabulary, line, size, id, &fault))
            dit_fail(error, fault.status, "%s: line %d %s", path, id + 1, fault.message);
    }
    free(text);
    const char *unknown = token_of(f, class, DIT_CLASS_UNK, error);
    t->kind = DIT_MODEL_WORDPIECE;
    t->wordpiece = (dit_wordpiece){.prefix = "##", .most = 100};
    t->wordpiece.unknown = dit_vocabulary_find(&t->vocabulary, unknown, strlen(unknown));
    if (!error->status && t->wordpiece.unknown < 0)
        return dit_fail(error, DIT_BAD_FILE, "%s: has no line \"%.60s\", the token for unknown words", path, unknown);
    return error->status;
}

// ---- The class

static const struct dit_tokenizer_class *find_class(const char *file, const char *name)
{
    static const char *const t5[] = {"MT5Tokenizer", "UMT5Tokenizer", NULL}; // other names of the same class
    for (int i = 0; name && t5[i]; i++)
        if (!strcmp(name, t5[i]))
            return &classes[T5];
    for (int i = 0; i < CLASSES; i++)
        if (name ? !strcmp(name, classes[i].name) : !strcmp(file, classes[i].file))
            return &classes[i];
    return NULL;
}

const struct dit_tokenizer_class *dit_folder_class(const char *name)
{
    return find_class("", name);
}

dit_status dit_folder_read_vocabulary(struct dit_tokenizer_folder *f, const char *file, const char *class_name,
                                      const struct dit_tokenizer_class **class, dit_error *error)
{
    const char *path = dit_arena_printf(f->tokenizer->arena, "%s/%s", f->path, file);
    size_t n = strlen(file);
    bool is_model = n > 6 && !strcmp(file + n - 6, ".model"), is_json = !strcmp(file, "vocab.json");
    const char *usual = is_json                           ? file
                        : !is_model                       ? "vocab.txt"
                        : strcmp(file, "tokenizer.model") ? "spiece.model"
                                                          : file;
    *class = find_class(usual, class_name);
    if (error->status || !path)
        return error->status ? error->status : no_memory(f, error);
    bool fits = *class && (is_model  ? *class == &classes[T5] || *class == &classes[LLAMA] || *class == &classes[GEMMA]
                           : is_json ? *class == &classes[CLIP] || *class == &classes[GPT2] || *class == &classes[QWEN2]
                                     : *class == &classes[BERT]);
    if (!fits)
        return dit_fail(error, DIT_UNSUPPORTED,
                        "%s/tokenizer_config.json: \"tokenizer_class\" is \"%.60s\", which is not "
                        "known to read %s; a tokenizer.json would tell what it does",
                        f->path, class_name ? class_name : "", file);
    return is_model  ? read_sentencepiece(f, *class, path, NULL, 0, error)
           : is_json ? read_vocab_json(f, *class, path, error)
                     : read_vocab_txt(f, *class, path, error);
}

static dit_status put_around(dit_tokenizer *t, const struct dit_tokenizer_folder *f,
                             const struct dit_tokenizer_class *class, dit_error *error)
{
    bool before = class->before >= 0 || dit_folder_flag(f, "add_bos_token", false, error);
    bool after = class->after >= 0 || dit_folder_flag(f, "add_eos_token", false, error);
    const char *first = token_of(f, class, class->before >= 0 ? class->before : DIT_CLASS_BOS, error);
    const char *last = token_of(f, class, class->after >= 0 ? class->after : DIT_CLASS_EOS, error);
    if (before && *first && !error->status)
        t->before[t->before_count++] = dit_tokenizer_find(t, first);
    if (after && *last && !error->status)
        t->after[t->after_count++] = dit_tokenizer_find(t, last);
    return error->status;
}

// The few steps that settings choose, as a tokenizer.json would have them.
static json_t *chosen_steps(const struct dit_tokenizer_folder *f, const struct dit_tokenizer_class *class,
                            dit_error *error)
{
    const char *steps = dit_arena_printf(f->tokenizer->arena, "{%s}", class->steps);
    json_t *root = steps ? json_loads(steps, 0, NULL) : NULL, *cut = json_object_get(root, "pre_tokenizer");
    bool prefix = dit_folder_flag(f, "add_prefix_space", class == &classes[LLAMA], error);
    if (class == &classes[LLAMA]) {
        bool legacy = dit_folder_flag(f, "legacy", false, error);
        json_object_set_new(cut, "prepend_scheme", json_string(!prefix ? "never" : legacy ? "always" : "first"));
    } else if (class == &classes[GPT2])
        json_object_set_new(cut, "add_prefix_space", json_boolean(prefix));
    else if (class == &classes[QWEN2])
        json_object_set_new(json_array_get(json_object_get(cut, "pretokenizers"), 1), "add_prefix_space",
                            json_boolean(prefix));
    else if (class == &classes[BERT]) {
        bool lower = dit_folder_flag(f, "do_lower_case", true, error);
        json_object_set_new(root, "normalizer",
                            json_pack("{s:s, s:b, s:b, s:b, s:b}", "type", "BertNormalizer", "clean_text", 1,
                                      "handle_chinese_chars", dit_folder_flag(f, "tokenize_chinese_chars", true, error),
                                      "strip_accents", dit_folder_flag(f, "strip_accents", lower, error), "lowercase",
                                      lower));
    }
    return root;
}

dit_status dit_folder_read_steps(struct dit_tokenizer_folder *f, const struct dit_tokenizer_class *class,
                                 dit_error *error)
{
    dit_tokenizer *t = f->tokenizer;
    json_t *root = chosen_steps(f, class, error);
    char *text = root ? json_dumps(root, 0) : NULL;
    dit_json_file *file = NULL;
    if (!text)
        no_memory(f, error);
    else if (!error->status && !dit_json_parse(&file, class->name, text, strlen(text), 0, error) &&
             !dit_tokenizer_read_steps(t, dit_json_root(file), error))
        put_around(t, f, class, error);
    if (!error->status && t->charsmap)
        t->normals[t->normal_count++] = (dit_normal_step){.kind = DIT_NORMAL_CHARSMAP, .map = t->charsmap};
    dit_json_close(file);
    free(text);
    json_decref(root);
    return error->status;
}
