// text/tokenizer.c: encoding: added tokens, normalisation, words, byte pairs, and the tokens around.
#include "text/byte_level.h"
#include "text/tokenizer_private.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

dit_status dit_tokenizer_open(dit_tokenizer **out, const char *path, dit_error *error)
{
    *out = NULL;
    dit_tokenizer *t = calloc(1, sizeof *t);
    if (t)
        t->arena = dit_arena_new();
    if (!t || !t->arena) {
        free(t);
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", path);
    }
    struct stat info;
    const char *file =
        stat(path, &info) == 0 && S_ISDIR(info.st_mode) ? dit_arena_printf(t->arena, "%s/tokenizer.json", path) : path;
    dit_status status =
        file ? dit_tokenizer_read(t, file, error) : dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", path);
    if (status)
        dit_tokenizer_close(t);
    else
        *out = t;
    return status;
}

void dit_tokenizer_close(dit_tokenizer *t)
{
    if (!t)
        return;
    dit_bpe_free(&t->bpe);
    dit_name_map_free(&t->ids);
    free(t->tokens);
    dit_arena_free(t->arena);
    free(t);
}

int dit_tokenizer_size(const dit_tokenizer *t)
{
    return t->size;
}

int dit_tokenizer_find(const dit_tokenizer *t, const char *token)
{
    return dit_name_map_find(&t->ids, token);
}

const char *dit_tokenizer_token(const dit_tokenizer *t, int id)
{
    return id >= 0 && id < t->size ? t->tokens[id] : NULL;
}

struct ids {
    int32_t *id;
    size_t count, capacity;
};

static dit_status reserve(struct ids *ids, size_t more, dit_error *error)
{
    return dit_grow(&ids->id, &ids->capacity, ids->count + more, sizeof *ids->id)
               ? DIT_OK
               : dit_fail(error, DIT_NO_MEMORY, "no memory for the tokens of a text");
}

static dit_status append(struct ids *ids, const int32_t *id, int count, dit_error *error)
{
    if (reserve(ids, (size_t)count, error))
        return error->status;
    for (int i = 0; i < count; i++)
        ids->id[ids->count++] = id[i];
    return DIT_OK;
}

// Words of normalised text.
static dit_status encode_words(const dit_tokenizer *t, const char *text, size_t size, struct ids *ids, dit_error *error)
{
    for (size_t at = 0; at < size;) {
        size_t length = dit_word_length(text + at, size - at), count;
        if (reserve(ids, length, error) ||
            dit_bpe_encode(&t->bpe, (const uint8_t *)text + at, length, ids->id + ids->count, &count, error))
            return error->status;
        ids->count += count;
        at += length;
    }
    return DIT_OK;
}

// A piece of the text without added tokens.
static dit_status encode_piece(const dit_tokenizer *t, const char *text, size_t size, struct ids *ids, dit_error *error)
{
    dit_text normal;
    if (dit_text_normalize(text, size, t->normals, t->normal_count, &normal, error))
        return error->status;
    if (t->prefix_space && normal.size > 0 && normal.bytes[0] != ' ') {
        char *longer = realloc(normal.bytes, normal.size + 2);
        if (!longer) {
            free(normal.bytes);
            return dit_fail(error, DIT_NO_MEMORY, "no memory for the tokens of a text");
        }
        memmove(longer + 1, longer, normal.size + 1);
        longer[0] = ' ';
        normal = (dit_text){longer, normal.size + 1};
    }
    encode_words(t, normal.bytes, normal.size, ids, error);
    free(normal.bytes);
    return error->status;
}

// The longest added token at the start of the text, or NULL.
static const struct dit_added *added_at(const dit_tokenizer *t, const char *text, size_t size)
{
    const struct dit_added *longest = NULL;
    for (int i = 0; i < t->added_count; i++) {
        const struct dit_added *a = &t->added[i];
        if (a->length <= size && !memcmp(a->content, text, a->length) && (!longest || a->length > longest->length))
            longest = a;
    }
    return longest;
}

static dit_status encode_text(const dit_tokenizer *t, const char *text, size_t size, struct ids *ids, dit_error *error)
{
    size_t piece = 0;
    for (size_t at = 0; at < size;) {
        const struct dit_added *added = added_at(t, text + at, size - at);
        if (!added) {
            at++;
            continue;
        }
        if (encode_piece(t, text + piece, at - piece, ids, error) || append(ids, &added->id, 1, error))
            return error->status;
        piece = at += added->length;
    }
    return encode_piece(t, text + piece, size - piece, ids, error);
}

dit_status dit_tokenizer_encode(const dit_tokenizer *t, const char *text, size_t size, size_t most, int32_t **out,
                                size_t *count, dit_error *error)
{
    dit_error ours = {0};
    struct ids ids = {0};
    size_t around = (size_t)(t->before_count + t->after_count);
    *out = NULL;
    if (most > 0 && most < around)
        return dit_fail(error, DIT_BAD_ARGUMENT, "at most %zu tokens: the tokenizer puts %zu around every text", most,
                        around);
    if (dit_text_check(text, size, "the text", &ours) || append(&ids, t->before, t->before_count, &ours) ||
        encode_text(t, text, size, &ids, &ours))
        goto done;
    if (most > 0 && ids.count > most - (size_t)t->after_count)
        ids.count = most - (size_t)t->after_count;
    append(&ids, t->after, t->after_count, &ours);
    reserve(&ids, 1, &ours); // so that there is something to free even when there are no ids
done:
    if (ours.status) {
        free(ids.id);
        return dit_fail(error, ours.status, "%s", ours.message);
    }
    *out = ids.id;
    *count = ids.count;
    return DIT_OK;
}
