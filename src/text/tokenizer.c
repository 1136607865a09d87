// text/tokenizer.c: encoding: added tokens, normalisation, pieces, the model, and the tokens around.
#include "io/gguf.h"
#include "text/tokenizer_private.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// ---- Opening

static dit_status read_path(dit_tokenizer *t, const char *path, dit_error *error)
{
    struct stat info;
    size_t n = strlen(path);
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return dit_tokenizer_read_folder(t, path, error);
    if (dit_is_gguf(path))
        return dit_tokenizer_read_gguf(t, path, error);
    bool other = (n > 6 && !strcmp(path + n - 6, ".model")) || (n > 4 && !strcmp(path + n - 4, ".txt")) ||
                 (n >= 10 && !strcmp(path + n - 10, "vocab.json"));
    if (other)
        return dit_tokenizer_read_other(t, path, error);
    return dit_tokenizer_read(t, path, error) ? error->status : dit_tokenizer_prepare(t, error);
}

static dit_tokenizer *new_tokenizer(const char *path, dit_error *error)
{
    dit_tokenizer *t = calloc(1, sizeof *t);
    if (t)
        t->arena = dit_arena_new();
    if (!t || !t->arena) {
        free(t);
        dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", path);
        return NULL;
    }
    t->habits.pad_id = t->habits.eos_id = -1;
    return t;
}

// Hands a tokenizer over, or closes it after a failure.
static dit_status finish(dit_tokenizer *t, const dit_error *ours, dit_tokenizer **out, dit_error *error)
{
    if (!ours->status) {
        *out = t;
        return DIT_OK;
    }
    dit_tokenizer_close(t);
    return dit_fail(error, ours->status, "%s", ours->message);
}

dit_status dit_tokenizer_open(dit_tokenizer **out, const char *path, dit_error *error)
{
    dit_error ours = {0};
    dit_tokenizer *t = new_tokenizer(path, &ours);
    *out = NULL;
    if (t)
        read_path(t, path, &ours);
    return finish(t, &ours, out, error);
}

dit_status dit_tokenizer_open_pieces(dit_tokenizer **out, const char *path, const char *class_name, const void *bytes,
                                     size_t size, dit_error *error)
{
    dit_error ours = {0};
    dit_tokenizer *t = new_tokenizer(path, &ours);
    *out = NULL;
    if (t)
        dit_tokenizer_read_pieces(t, path, class_name, bytes, size, &ours);
    return finish(t, &ours, out, error);
}

void dit_tokenizer_close(dit_tokenizer *t)
{
    if (!t)
        return;
    for (int i = 0; i < t->regex_count; i++)
        dit_regex_free(t->regexes[i]);
    for (size_t i = 0; t->normal_content && i < t->added_count; i++)
        free(t->normal_content[i]);
    free(t->normal_content);
    dit_charsmap_close(t->charsmap);
    dit_bpe_free(&t->bpe.merges);
    dit_unigram_free(&t->unigram);
    dit_vocabulary_free(&t->vocabulary);
    dit_vocabulary_free(&t->extra);
    dit_trie_free(&t->raw);
    dit_trie_free(&t->normalized);
    free(t->added);
    free(t->added_of_id);
    dit_arena_free(t->arena);
    free(t);
}

// ---- Asking

int dit_tokenizer_size(const dit_tokenizer *t)
{
    return t->extra.size > t->vocabulary.size ? t->extra.size : t->vocabulary.size;
}

int dit_tokenizer_find(const dit_tokenizer *t, const char *token)
{
    int id = dit_vocabulary_find(&t->vocabulary, token, strlen(token));
    return id >= 0 ? id : dit_vocabulary_find(&t->extra, token, strlen(token));
}

const char *dit_tokenizer_token(const dit_tokenizer *t, int id)
{
    size_t size;
    const char *text = dit_vocabulary_text(&t->vocabulary, id, &size);
    return text ? text : dit_vocabulary_text(&t->extra, id, &size);
}

dit_tokenizer_habits dit_tokenizer_ask(const dit_tokenizer *t)
{
    return t->habits;
}

const int32_t *dit_tokenizer_before(const dit_tokenizer *t, size_t *count)
{
    *count = (size_t)t->before_count;
    return t->before;
}

const int32_t *dit_tokenizer_after(const dit_tokenizer *t, size_t *count)
{
    *count = (size_t)t->after_count;
    return t->after;
}

// ---- Encoding

// Normalises a part of the text without raw tokens and cuts it at the tokens of normalised text.
static dit_status add_part(const dit_tokenizer *t, const char *text, size_t size, bool first, dit_added_spans *spans,
                           dit_pieces *pieces, dit_error *error)
{
    dit_text normal;
    if (dit_text_normalize(text, size, t->normals, t->normal_count, &normal, error))
        return error->status;
    dit_added_find(&t->normalized, t->added, normal.bytes, normal.size, spans, error);
    for (size_t i = 0; i < spans->count && !error->status; i++) {
        dit_added_span s = spans->span[i];
        dit_pieces_add(pieces, normal.bytes + s.from, s.to - s.from, s.id, first && s.from == 0, error);
    }
    free(normal.bytes);
    return error->status;
}

static dit_status find_pieces(const dit_tokenizer *t, const char *text, size_t size, dit_pieces *pieces,
                              dit_error *error)
{
    dit_added_spans raw = {0}, normal = {0};
    dit_added_find(&t->raw, t->added, text, size, &raw, error);
    for (size_t i = 0; i < raw.count && !error->status; i++) {
        dit_added_span s = raw.span[i];
        if (s.id >= 0)
            dit_pieces_add(pieces, "", 0, s.id, s.from == 0, error);
        else
            add_part(t, text + s.from, s.to - s.from, s.from == 0, &normal, pieces, error);
    }
    free(raw.span);
    free(normal.span);
    return error->status;
}

static dit_status encode_pieces(const dit_tokenizer *t, const dit_pieces *pieces, dit_ids *ids, dit_error *error)
{
    for (size_t i = 0; i < pieces->count && !error->status; i++) {
        struct dit_piece p = pieces->piece[i];
        const char *text = p.id >= 0 ? NULL : pieces->text.bytes + p.at;
        if (p.id >= 0)
            dit_ids_add(ids, p.id, error);
        else if (t->kind == DIT_MODEL_BPE)
            dit_bpe_encode(&t->bpe, &t->vocabulary, text, p.size, ids, error);
        else if (t->kind == DIT_MODEL_UNIGRAM)
            dit_unigram_encode(&t->unigram, &t->vocabulary, text, p.size, ids, error);
        else
            dit_wordpiece_encode(&t->wordpiece, &t->vocabulary, text, p.size, ids, error);
    }
    return error->status;
}

static dit_status encode_text(const dit_tokenizer *t, const char *text, size_t size, dit_ids *ids, dit_error *error)
{
    dit_pieces pieces = {0};
    if (!dit_text_check(text, size, "the text", error) && !find_pieces(t, text, size, &pieces, error) &&
        !dit_split(&pieces, t->splits, t->split_count, error))
        encode_pieces(t, &pieces, ids, error);
    dit_pieces_free(&pieces);
    return error->status;
}

static void cut(dit_ids *ids, size_t most, bool left)
{
    if (ids->count <= most)
        return;
    if (left)
        memmove(ids->id, ids->id + ids->count - most, most * sizeof *ids->id);
    ids->count = most;
}

static dit_status hand_over(dit_ids ids, const dit_error *ours, int32_t **out, size_t *count, dit_error *error)
{
    if (ours->status) {
        free(ids.id);
        return dit_fail(error, ours->status, "%s", ours->message);
    }
    *out = ids.id;
    *count = ids.count;
    return DIT_OK;
}

dit_status dit_tokenizer_encode(const dit_tokenizer *t, const char *text, size_t size, size_t most, int32_t **out,
                                size_t *count, dit_error *error)
{
    dit_error ours = {0};
    dit_ids ids = {0};
    size_t before = (size_t)t->before_count, after = (size_t)t->after_count;
    *out = NULL;
    if (most > 0 && most < before + after)
        return dit_fail(error, DIT_BAD_ARGUMENT, "at most %zu tokens: the tokenizer puts %zu around every text", most,
                        before + after);
    if (!encode_text(t, text, size, &ids, &ours)) {
        cut(&ids, most > 0 ? most - before - after : SIZE_MAX, t->habits.cut_left);
        dit_ids_reserve(&ids, before + after + 1, &ours); // one more: there is something to free without any ids
    }
    if (!ours.status) {
        memmove(ids.id + before, ids.id, ids.count * sizeof *ids.id);
        memcpy(ids.id, t->before, before * sizeof *ids.id);
        memcpy(ids.id + before + ids.count, t->after, after * sizeof *ids.id);
        ids.count += before + after;
    }
    return hand_over(ids, &ours, out, count, error);
}

dit_status dit_tokenizer_encode_bare(const dit_tokenizer *t, const char *text, size_t size, int32_t **out,
                                     size_t *count, dit_error *error)
{
    dit_error ours = {0};
    dit_ids ids = {0};
    *out = NULL;
    if (!encode_text(t, text, size, &ids, &ours))
        dit_ids_reserve(&ids, 1, &ours);
    return hand_over(ids, &ours, out, count, error);
}
