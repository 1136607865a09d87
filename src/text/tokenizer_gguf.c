// text/tokenizer_gguf.c: tokenizers in the metadata of GGUF files, as llama.cpp writes them (gguf-py/gguf/constants.py,
// convert_hf_to_gguf.py): the tokens with scores and kinds of a SentencePiece model, or with merges. The rest is that
// of a folder whose tokenizer_config.json would say the same.
#include "io/gguf.h"
#include "text/tokenizer_files.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEY "tokenizer.ggml."

// The class that reads a model's texts, by `tokenizer.ggml.model`, and by its rule for cutting texts or its
// architecture. NULL: not known.
static const char *class_name(const dit_gguf *file)
{
    static const struct {
        const char *model, *key, *value, *class; // value: how the key's text begins; "": any
    } known[] = {
        {"t5", KEY "model", "", "T5Tokenizer"},
        {"llama", "general.architecture", "gemma", "GemmaTokenizer"},
        {"llama", KEY "model", "", "LlamaTokenizer"},
        {"gpt2", KEY "pre", "qwen2", "Qwen2Tokenizer"},
        {"gpt2", KEY "pre", "llama-bpe", "Llama3Tokenizer"},
        {"gpt2", KEY "pre", "gpt-2", "GPT2Tokenizer"},
    };
    const dit_gguf_value *model = dit_gguf_metadata(file, KEY "model");
    for (size_t i = 0; model && model->text && i < sizeof known / sizeof *known; i++) {
        const dit_gguf_value *value = dit_gguf_metadata(file, known[i].key);
        if (!strcmp(model->text, known[i].model) && value && value->text &&
            !strncmp(value->text, known[i].value, strlen(known[i].value)))
            return known[i].class;
    }
    return NULL;
}

// A list of the metadata of the type and length; NULL and an error when it is not that. `count` 0: any length.
static const dit_gguf_value *list_of(const dit_gguf *file, const char *key, dit_gguf_type type, uint64_t count,
                                     dit_error *error)
{
    const dit_gguf_value *v = dit_gguf_metadata(file, key);
    if (v && v->list && v->type == type && (count ? v->count == count : v->count > 0) && v->count < DIT_MOST_TOKENS)
        return v;
    if (v)
        dit_fail(error, DIT_BAD_FILE, "%s: \"%s\" is no list of %s for each of its tokens", dit_gguf_path(file), key,
                 type == DIT_GGUF_TEXT ? "texts" : "numbers");
    else
        dit_fail(error, DIT_BAD_FILE, "%s: \"%s\" is missing", dit_gguf_path(file), key);
    return NULL;
}

// Tokens, scores and kinds as a SentencePiece model's pieces. Those at the end that nothing uses fill the network's
// table up and are left out.
static dit_status read_pieces(const dit_gguf *file, dit_sentencepiece *s, dit_error *error)
{
    const char *path = dit_gguf_path(file), *text;
    size_t size;
    uint64_t cursor = 0;
    const dit_gguf_value *tokens = list_of(file, KEY "tokens", DIT_GGUF_TEXT, 0, error), *charsmap;
    const dit_gguf_value *kinds = tokens ? list_of(file, KEY "token_type", DIT_GGUF_I32, tokens->count, error) : NULL;
    bool scored = tokens && dit_gguf_metadata(file, KEY "scores");
    const dit_gguf_value *scores = scored ? list_of(file, KEY "scores", DIT_GGUF_F32, tokens->count, error) : NULL;
    if (error->status)
        return error->status;
    if (!(s->piece = calloc(tokens->count, sizeof *s->piece)))
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its tokens", path);
    for (uint64_t i = 0; i < tokens->count && dit_gguf_next_text(tokens, &cursor, &text, &size); i++) {
        int64_t kind;
        double score = 0;
        if (!dit_gguf_integer(kinds, i, &kind) || kind < DIT_PIECE_NORMAL || kind > DIT_PIECE_BYTE ||
            (scores && (!dit_gguf_number(scores, i, &score) || !isfinite(score))))
            return dit_fail(error, DIT_BAD_FILE, "%s: token %d has no known type, or no finite score", path, (int)i);
        if (dit_text_check(text, size, "", NULL) || memchr(text, 0, size))
            return dit_fail(error, DIT_BAD_FILE, "%s: token %d is no text", path, (int)i);
        s->piece[s->count++] = (struct dit_sentence_piece){text, size, (float)score, (int)kind};
    }
    while (s->count > 0 && s->piece[s->count - 1].kind == DIT_PIECE_UNUSED)
        s->count--;
    charsmap = dit_gguf_metadata(file, KEY "precompiled_charsmap");
    if (charsmap && charsmap->list && (charsmap->type == DIT_GGUF_U8 || charsmap->type == DIT_GGUF_I8)) {
        s->charsmap = (const char *)charsmap->data;
        s->charsmap_size = (size_t)charsmap->count;
    }
    return s->count ? DIT_OK : dit_fail(error, DIT_BAD_FILE, "%s: has no tokens that are used", path);
}

// ---- Settings

static void set_token(const dit_gguf *file, const dit_sentencepiece *s, const char *key, const char *name,
                      json_t *config)
{
    int64_t id;
    const dit_gguf_value *v = dit_gguf_metadata(file, key);
    if (v && !v->list && dit_gguf_integer(v, 0, &id) && id >= 0 && (size_t)id < s->count)
        json_object_set_new(config, name, json_stringn(s->piece[id].text, s->piece[id].size));
}

static void set_flag(const dit_gguf *file, const char *key, const char *name, json_t *config)
{
    int64_t flag;
    const dit_gguf_value *v = dit_gguf_metadata(file, key);
    if (v && v->type == DIT_GGUF_BOOL && !v->list && dit_gguf_integer(v, 0, &flag))
        json_object_set_new(config, name, json_boolean(flag));
}

// Tokens that are recognised in texts whole: {"5": {"content": "<|im_end|>", "special": true}, ...}.
static json_t *recognised(const dit_sentencepiece *s)
{
    json_t *list = json_object();
    for (size_t i = 0; i < s->count; i++) {
        char id[24];
        const struct dit_sentence_piece *p = &s->piece[i];
        if (!p->size || (p->kind != DIT_PIECE_CONTROL && p->kind != DIT_PIECE_USER_DEFINED))
            continue;
        snprintf(id, sizeof id, "%zu", i);
        json_object_set_new(list, id,
                            json_pack("{s:o, s:b, s:b}", "content", json_stringn(p->text, p->size), "special",
                                      p->kind == DIT_PIECE_CONTROL, "normalized", 0));
    }
    return list;
}

// What tokenizer_config.json would say.
static dit_status make_config(const dit_gguf *file, const dit_sentencepiece *s, bool pieces, dit_json_file **config,
                              dit_error *error)
{
    const dit_gguf_value *model = dit_gguf_metadata(file, KEY "model");
    json_t *root = json_object();
    if (!strcmp(model->text, "llama")) // llama.cpp's own default
        json_object_set_new(root, "add_bos_token", json_true());
    set_token(file, s, KEY "bos_token_id", "bos_token", root);
    set_token(file, s, KEY "eos_token_id", "eos_token", root);
    set_token(file, s, KEY "unknown_token_id", "unk_token", root);
    set_token(file, s, KEY "padding_token_id", "pad_token", root);
    set_flag(file, KEY "add_bos_token", "add_bos_token", root);
    set_flag(file, KEY "add_eos_token", "add_eos_token", root);
    set_flag(file, KEY "add_space_prefix", "add_prefix_space", root);
    for (size_t i = 0; i < s->count; i++) // T5's tokens for gaps, where they are not to be added
        if (s->piece[i].size == strlen("<extra_id_0>") && !memcmp(s->piece[i].text, "<extra_id_0>", s->piece[i].size))
            json_object_set_new(root, "extra_ids", json_integer(0));
    json_object_set_new(root, "added_tokens_decoder", pieces ? json_object() : recognised(s));
    char *text = json_dumps(root, 0);
    json_decref(root);
    if (!text)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its tokens", dit_gguf_path(file));
    dit_json_parse(config, dit_gguf_path(file), text, strlen(text), 0, error);
    free(text);
    return error->status;
}

// ---- The whole

static dit_status add_merges(struct dit_tokenizer_folder *f, const struct dit_tokenizer_class *class,
                             const dit_gguf *file, const dit_sentencepiece *s, dit_error *error)
{
    const char *text;
    size_t size;
    uint64_t cursor = 0;
    dit_error fault = {0};
    const dit_gguf_value *merges = list_of(file, KEY "merges", DIT_GGUF_TEXT, 0, error);
    for (size_t i = 0; merges && i < s->count; i++)
        if (dit_vocabulary_add(&f->tokenizer->vocabulary, s->piece[i].text, s->piece[i].size, (int64_t)i, &fault))
            return dit_fail(error, fault.status, "%s: token %zu %s", f->path, i, fault.message);
    dit_folder_start_bpe(f, class);
    for (int i = 0; merges && dit_gguf_next_text(merges, &cursor, &text, &size); i++)
        if (dit_folder_add_merge(f, text, size, &fault))
            return dit_fail(error, fault.status, "%s: merge %d: %s", f->path, i, fault.message);
    return error->status;
}

static dit_status read_file(dit_tokenizer *t, const dit_gguf *file, dit_error *error)
{
    struct dit_tokenizer_folder f = {.tokenizer = t, .path = dit_gguf_path(file)};
    dit_sentencepiece s = {0};
    const dit_gguf_value *model = dit_gguf_metadata(file, KEY "model");
    const char *name = class_name(file);
    if (!name)
        return dit_fail(error, DIT_UNSUPPORTED,
                        "%s: holds no tokenizer that is known here (" KEY
                        "model is \"%.40s\"); give one as a folder or "
                        "a tokenizer.json",
                        f.path, model && model->text ? model->text : "");
    const struct dit_tokenizer_class *class = dit_folder_class(name);
    bool pieces = strcmp(model->text, "gpt2");
    if (!read_pieces(file, &s, error) && !make_config(file, &s, pieces, &f.config, error) &&
        !(pieces ? dit_folder_add_pieces(&f, class, &s, f.path, error) : add_merges(&f, class, file, &s, error)))
        dit_folder_complete(&f, class, error);
    dit_json_close(f.config);
    free(s.piece);
    return error->status;
}

dit_status dit_tokenizer_read_gguf(dit_tokenizer *t, const char *path, dit_error *error)
{
    dit_gguf *file;
    if (!dit_gguf_open(&file, path, error)) {
        read_file(t, file, error);
        dit_gguf_close(file);
    }
    return error->status;
}

bool dit_tokenizer_in_gguf(const char *path)
{
    dit_gguf *file;
    dit_error ignored = {0};
    if (!dit_is_gguf(path) || dit_gguf_open(&file, path, &ignored))
        return false;
    bool holds = class_name(file);
    dit_gguf_close(file);
    return holds;
}
