// text/tokenizer_json.c: reading tokenizer.json: every key is understood or refused. The steps around the model are
// read in tokenizer_steps.c.
#include "text/tokenizer_private.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

dit_status dit_json_unsupported(dit_json object, const char *key, dit_error *error)
{
    dit_error told = {0};
    dit_json_fail(object, key, &told, "asks for what this program does not do");
    return dit_fail(error, told.status == DIT_BAD_FILE ? DIT_UNSUPPORTED : told.status, "%s", told.message);
}

static dit_status no_memory(dit_error *error)
{
    return dit_fail(error, DIT_NO_MEMORY, "no memory for a tokenizer");
}

// Puts the file's name and a key before a fault that was found below.
static dit_status fault_at(dit_json object, const char *key, const dit_error *fault, dit_error *error)
{
    return fault->status == DIT_BAD_FILE ? dit_json_fail(object, key, error, "%s", fault->message)
                                         : dit_fail(error, fault->status, "%s", fault->message);
}

// A text of the model that may be absent or null; it is copied.
static const char *affix(dit_tokenizer *t, dit_json model, const char *key, dit_error *error)
{
    const char *text = dit_json_text_or(model, key, "", error);
    if (strlen(text) > DIT_LONGEST_AFFIX) {
        dit_json_fail(model, key, error, "has %zu bytes; at most %d are known to occur", strlen(text),
                      DIT_LONGEST_AFFIX);
        return "";
    }
    const char *copy = dit_arena_copy_text(t->arena, text);
    if (!copy)
        no_memory(error);
    return copy ? copy : "";
}

// ---- BPE and WordPiece: an object of tokens and ids

static dit_status read_vocabulary(dit_tokenizer *t, dit_json model, dit_error *error)
{
    dit_json vocabulary = dit_json_object(model, "vocab", error);
    const char *token;
    json_t *id;
    json_object_foreach(vocabulary.value, token, id)
    {
        dit_error fault = {0};
        if (!json_is_integer(id))
            return dit_json_fail(vocabulary, token, error, "must be an integer");
        if (dit_vocabulary_add(&t->vocabulary, token, strlen(token), json_integer_value(id), &fault))
            return fault_at(vocabulary, token, &fault, error);
    }
    return error->status;
}

// A merge is ["a", "b"] or, in older files, "a b".
static bool split_merge(const json_t *merge, const char **a, size_t *a_size, const char **b, size_t *b_size)
{
    *a = json_string_value(merge);
    if (*a) {
        *a_size = strcspn(*a, " ");
        *b = (*a)[*a_size] ? *a + *a_size + 1 : "";
        *b_size = strcspn(*b, " ");
        return *a_size > 0 && *b_size > 0 && !(*b)[*b_size];
    }
    json_t *first = json_array_get(merge, 0), *second = json_array_get(merge, 1);
    *a = json_string_value(first);
    *b = json_string_value(second);
    *a_size = json_string_length(first);
    *b_size = json_string_length(second);
    return json_array_size(merge) == 2 && *a && *b && *a_size > 0 && *b_size > 0;
}

static dit_status read_merges(dit_tokenizer *t, dit_json model, dit_error *error)
{
    dit_json merges = dit_json_list(model, "merges", error);
    const dit_vocabulary *v = &t->vocabulary;
    size_t prefix = strlen(t->bpe.prefix);
    for (size_t i = 0; i < dit_json_count(merges) && !error->status; i++) {
        const char *a, *b;
        size_t a_size, b_size;
        dit_error fault = {0};
        if (!split_merge(json_array_get(merges.value, i), &a, &a_size, &b, &b_size))
            return dit_json_fail(model, "merges", error, "has something else than a pair of tokens at place %zu", i);
        size_t skip = prefix < b_size ? prefix : b_size; // the prefix of what continues a word goes when it is joined
        int first = dit_vocabulary_find(v, a, a_size), second = dit_vocabulary_find(v, b, b_size);
        int joined = dit_vocabulary_find_joined(v, a, a_size, b + skip, b_size - skip);
        if (first < 0 || second < 0 || joined < 0)
            return dit_json_fail(model, "merges", error, "joins tokens at place %zu that are not in the vocabulary", i);
        if (dit_bpe_add(&t->bpe.merges, first, second, joined, &fault))
            return fault.status == DIT_BAD_FILE ? dit_json_fail(model, "merges", error, "is wrong: %s", fault.message)
                                                : dit_fail(error, fault.status, "%s", fault.message);
    }
    return error->status;
}

static dit_status read_bpe(dit_tokenizer *t, dit_json model, dit_error *error)
{
    dit_bpe_model *m = &t->bpe;
    if (dit_json_number_or(model, "dropout", 0, 0, 1, error) != 0 && !error->status)
        return dit_json_unsupported(model, "dropout", error); // random ids
    m->prefix = affix(t, model, "continuing_subword_prefix", error);
    m->suffix = affix(t, model, "end_of_word_suffix", error);
    m->fuse_unknown = dit_json_bool_or(model, "fuse_unk", false, error);
    m->byte_fallback = dit_json_bool_or(model, "byte_fallback", false, error);
    m->whole_words = dit_json_bool_or(model, "ignore_merges", false, error);
    const char *unknown = dit_json_text_or(model, "unk_token", "", error);
    if (error->status || read_vocabulary(t, model, error) || read_merges(t, model, error))
        return error->status;
    m->unknown = dit_vocabulary_find(&t->vocabulary, unknown, strlen(unknown));
    if (m->unknown < 0)
        m->unknown = *unknown ? DIT_LOST_UNKNOWN : DIT_NO_UNKNOWN;
    return DIT_OK;
}

static dit_status read_wordpiece(dit_tokenizer *t, dit_json model, dit_error *error)
{
    dit_wordpiece *m = &t->wordpiece;
    m->prefix = affix(t, model, "continuing_subword_prefix", error);
    m->most = dit_json_int_or(model, "max_input_chars_per_word", 100, 0, INT32_MAX, error);
    const char *unknown = dit_json_text_or(model, "unk_token", "[UNK]", error);
    if (error->status || read_vocabulary(t, model, error))
        return error->status;
    m->unknown = dit_vocabulary_find(&t->vocabulary, unknown, strlen(unknown));
    if (m->unknown < 0)
        return dit_json_fail(model, "unk_token", error, "is \"%.60s\", which is not in the vocabulary", unknown);
    return DIT_OK;
}

// ---- Unigram: a list of tokens and scores

static dit_status read_scores(dit_tokenizer *t, dit_json model, dit_error *error)
{
    dit_unigram *m = &t->unigram;
    dit_json list = dit_json_list(model, "vocab", error);
    size_t i;
    json_t *item;
    json_array_foreach(list.value, i, item)
    {
        json_t *text = json_array_get(item, 0), *score = json_array_get(item, 1);
        dit_error fault = {0};
        if (json_array_size(item) != 2 || !json_is_string(text) || !json_is_number(score))
            return dit_json_fail(model, "vocab", error, "has something else than a token and its score at place %zu",
                                 i);
        if (dit_vocabulary_add(&t->vocabulary, json_string_value(text), json_string_length(text), (int64_t)i, &fault))
            return fault_at(model, "vocab", &fault, error);
        if (!dit_grow(&m->score, &m->score_room, i + 1, sizeof *m->score))
            return no_memory(error);
        m->score[i] = json_number_value(score);
        m->least = i == 0 || m->score[i] < m->least ? m->score[i] : m->least;
    }
    if (i == 0 && !error->status)
        return dit_json_fail(model, "vocab", error, "is empty");
    return error->status;
}

static dit_status read_unigram(dit_tokenizer *t, dit_json model, dit_error *error)
{
    t->unigram.unknown = (int32_t)dit_json_int_or(model, "unk_id", -1, 0, DIT_MOST_TOKENS, error);
    t->unigram.byte_fallback = dit_json_bool_or(model, "byte_fallback", false, error);
    if (error->status || read_scores(t, model, error))
        return error->status;
    if (t->unigram.unknown >= t->vocabulary.size)
        return dit_json_fail(model, "unk_id", error, "is %d, and there are %d tokens", (int)t->unigram.unknown,
                             t->vocabulary.size);
    return DIT_OK;
}

// The kind of a model; files of the library's first versions do not name it.
static const char *model_kind(dit_json model, dit_error *error)
{
    if (dit_json_has(model, "type"))
        return dit_json_text(model, "type", error);
    return json_is_array(json_object_get(model.value, "vocab")) ? "Unigram"
           : dit_json_has(model, "merges")                      ? "BPE"
           : dit_json_has(model, "max_input_chars_per_word")    ? "WordPiece"
                                                                : dit_json_text(model, "type", error);
}

static dit_status read_model(dit_tokenizer *t, dit_json root, dit_error *error)
{
    static const struct {
        const char *name;
        enum dit_model_kind kind;
        dit_status (*read)(dit_tokenizer *t, dit_json model, dit_error *error);
    } known[] = {{"BPE", DIT_MODEL_BPE, read_bpe},
                 {"Unigram", DIT_MODEL_UNIGRAM, read_unigram},
                 {"WordPiece", DIT_MODEL_WORDPIECE, read_wordpiece}};
    dit_json model = dit_json_object(root, "model", error);
    const char *kind = model_kind(model, error);
    for (size_t i = 0; i < sizeof known / sizeof *known && !error->status; i++)
        if (!strcmp(kind, known[i].name)) {
            t->kind = known[i].kind;
            if (!known[i].read(t, model, error))
                dit_json_refuse_unread(model, error);
            return error->status;
        }
    return error->status ? error->status : dit_json_unsupported(model, "type", error);
}

// ---- Added tokens

dit_status dit_tokenizer_add(dit_tokenizer *t, dit_added_token token, int64_t id, dit_error *error)
{
    int known = dit_tokenizer_find(t, token.content);
    if (known >= 0 && id >= 0 && known != id)
        return dit_fail(error, DIT_BAD_FILE, "is %lld; \"%.60s\" has the id %d in the vocabulary", (long long)id,
                        token.content, known);
    if (known < 0) { // the next id is after the tokens of the model and those that were added
        int next = t->extra.size > t->vocabulary.count ? t->extra.size : t->vocabulary.count;
        id = id < 0 ? next : id;
        const char *other = dit_tokenizer_token(t, (int)id);
        if (other)
            return dit_fail(error, DIT_BAD_FILE, "is %lld, and so is that of \"%.60s\"", (long long)id, other);
        if (dit_vocabulary_add(&t->extra, token.content, strlen(token.content), id, error))
            return error->status;
    }
    token.id = known < 0 ? (int32_t)id : known;
    token.size = strlen(token.content);
    if (!dit_grow(&t->added_of_id, &t->added_of_id_room, (size_t)token.id + 1, sizeof *t->added_of_id))
        return no_memory(error);
    for (; t->added_of_id_count <= (size_t)token.id; t->added_of_id_count++)
        t->added_of_id[t->added_of_id_count] = -1;
    if (t->added_of_id[token.id] >= 0) { // the same token again: the later settings count
        t->added[t->added_of_id[token.id]] = token;
        return DIT_OK;
    }
    if (!dit_grow(&t->added, &t->added_room, t->added_count + 1, sizeof *t->added))
        return no_memory(error);
    t->added_of_id[token.id] = (int32_t)t->added_count;
    t->added[t->added_count++] = token;
    return DIT_OK;
}

static dit_status read_added_token(dit_tokenizer *t, dit_json item, dit_error *error)
{
    dit_error fault = {0};
    dit_added_token token = {.content = dit_json_text(item, "content", error)};
    int64_t id = dit_json_int(item, "id", 0, DIT_MOST_TOKENS - 1, error);
    token.special = dit_json_bool_or(item, "special", false, error);
    token.normalized = dit_json_bool_or(item, "normalized", !token.special, error);
    token.single_word = dit_json_bool_or(item, "single_word", false, error);
    token.strip_left = dit_json_bool_or(item, "lstrip", false, error);
    token.strip_right = dit_json_bool_or(item, "rstrip", false, error);
    dit_json_refuse_unread(item, error);
    if (error->status)
        return error->status;
    if (!*token.content)
        return dit_json_fail(item, "content", error, "is empty");
    token.content = dit_arena_copy_text(t->arena, token.content);
    if (!token.content)
        return no_memory(error);
    return dit_tokenizer_add(t, token, id, &fault) ? fault_at(item, "id", &fault, error) : DIT_OK;
}

static dit_status read_added(dit_tokenizer *t, dit_json root, dit_error *error)
{
    dit_json list = dit_json_list_or_empty(root, "added_tokens", error);
    for (size_t i = 0; i < dit_json_count(list) && !error->status; i++)
        read_added_token(t, dit_json_item(list, i, error), error);
    return error->status;
}

// ---- Habits

static dit_status read_habits(dit_tokenizer *t, dit_json root, dit_error *error)
{
    static const char *const sides[] = {"Left", "Right", NULL};
    static const char *const cut_ignored[] = {"strategy", "stride", NULL};
    static const char *const pad_ignored[] = {"strategy", "pad_to_multiple_of", "pad_type_id", "pad_token", NULL};
    dit_json cut = dit_json_object_or_empty(root, "truncation", error);
    dit_json pad = dit_json_object_or_empty(root, "padding", error);
    if (cut.value && dit_json_has(root, "truncation")) {
        t->habits.cut_left = dit_json_choice_or(cut, "direction", sides, 1, error) == 0;
        t->habits.most = (size_t)dit_json_int_or(cut, "max_length", 0, 0, INT32_MAX, error);
        dit_json_ignore(cut, cut_ignored, error);
        dit_json_refuse_unread(cut, error);
    }
    if (pad.value && dit_json_has(root, "padding")) {
        t->habits.pad_left = dit_json_choice_or(pad, "direction", sides, 1, error) == 0;
        t->habits.pad_id = (int32_t)dit_json_int_or(pad, "pad_id", 0, 0, DIT_MOST_TOKENS, error);
        dit_json_ignore(pad, pad_ignored, error);
        dit_json_refuse_unread(pad, error);
    }
    return error->status;
}

// ---- The whole

// What is looked for in normalised text: the content as the normalizer makes it.
static dit_status normalize_contents(dit_tokenizer *t, dit_error *error)
{
    t->normal_content = calloc(t->added_count + 1, sizeof *t->normal_content);
    if (!t->normal_content)
        return no_memory(error);
    for (size_t i = 0; i < t->added_count; i++) {
        dit_text normal;
        if (!t->added[i].normalized)
            continue;
        if (dit_text_normalize(t->added[i].content, t->added[i].size, t->normals, t->normal_count, &normal, error))
            return error->status;
        t->normal_content[i] = normal.bytes;
    }
    return DIT_OK;
}

static dit_status build_tries(dit_tokenizer *t, dit_error *error)
{
    dit_trie_entry *entries = malloc((t->added_count + 1) * sizeof *entries);
    if (!entries)
        return no_memory(error);
    for (int normalized = 0; normalized < 2 && !error->status; normalized++) {
        size_t count = 0;
        for (size_t i = 0; i < t->added_count; i++) {
            const char *text = normalized ? t->normal_content[i] : t->added[i].content;
            if (t->added[i].normalized == normalized && *text)
                entries[count++] = (dit_trie_entry){text, (uint32_t)strlen(text), (int32_t)i};
        }
        dit_trie_build(normalized ? &t->normalized : &t->raw, entries, count, error);
    }
    free(entries);
    return error->status;
}

dit_status dit_tokenizer_prepare(dit_tokenizer *t, dit_error *error)
{
    for (int id = 0; id < t->vocabulary.size; id++) {
        size_t size = 0;
        dit_vocabulary_text(&t->vocabulary, id, &size);
        t->wordpiece.longest = size > t->wordpiece.longest ? size : t->wordpiece.longest;
    }
    dit_find_byte_tokens(&t->vocabulary, t->bpe.byte_id);
    dit_find_byte_tokens(&t->vocabulary, t->unigram.byte_id);
    if (normalize_contents(t, error) || build_tries(t, error))
        return error->status;
    return t->kind == DIT_MODEL_UNIGRAM ? dit_unigram_prepare(&t->unigram, &t->vocabulary, error) : DIT_OK;
}

dit_status dit_tokenizer_read(dit_tokenizer *t, const char *path, dit_error *error)
{
    static const char *const ignored[] = {"version", "decoder", NULL}; // the decoder turns ids into text
    dit_json_file *file = NULL;
    if (!dit_json_open(&file, path, 0, error)) {
        dit_json root = dit_json_root(file);
        dit_json_ignore(root, ignored, error);
        if (!read_habits(t, root, error) && !read_model(t, root, error) && !read_added(t, root, error) &&
            !dit_tokenizer_read_steps(t, root, error))
            dit_json_refuse_unread(root, error);
    }
    dit_json_close(file);
    return error->status;
}
