// text/tokenizer_json.c: reading tokenizer.json: every key is understood or refused.
#include "io/json.h"
#include "text/byte_level.h"
#include "text/tokenizer_private.h"
#include <string.h>

// Records that the file asks for something that is not done here.
static dit_status unsupported(dit_json object, const char *key, dit_error *error)
{
    dit_error told = {0};
    dit_json_fail(object, key, &told, "asks for what this program does not do");
    return dit_fail(error, told.status == DIT_BAD_FILE ? DIT_UNSUPPORTED : told.status, "%s", told.message);
}

// A key that may be absent, null, false or "" and nothing else.
static dit_status must_be_off(dit_json object, const char *key, dit_error *error)
{
    const char *const known[] = {key, NULL};
    json_t *value = json_object_get(object.value, key);
    dit_json_ignore(object, known, error);
    if (!value || json_is_null(value) || json_is_false(value) ||
        (json_is_string(value) && json_string_length(value) == 0))
        return error->status;
    return unsupported(object, key, error);
}

static dit_status no_memory(dit_error *error)
{
    return dit_fail(error, DIT_NO_MEMORY, "no memory for a tokenizer");
}

// ---- The vocabulary

static dit_status add_token(dit_tokenizer *t, dit_json where, const char *token, json_int_t id, dit_error *error)
{
    if (id < 0 || id >= DIT_MOST_TOKENS)
        return dit_json_fail(where, token, error, "has the id %lld; ids are 0 to %d", (long long)id,
                             DIT_MOST_TOKENS - 1);
    if (!dit_grow(&t->tokens, &t->token_capacity, (size_t)id + 1, sizeof *t->tokens))
        return no_memory(error);
    while (t->size <= (int)id)
        t->tokens[t->size++] = NULL;
    if (t->tokens[id])
        return dit_json_fail(where, token, error, "has the id %d, as \"%.60s\" has", (int)id, t->tokens[id]);
    const char *copy = dit_arena_copy_text(t->arena, token);
    if (!copy || !dit_name_map_add(&t->ids, copy, (int)id))
        return no_memory(error);
    t->tokens[id] = copy;
    return DIT_OK;
}

static dit_status read_vocabulary(dit_tokenizer *t, dit_json model, dit_error *error)
{
    dit_json vocabulary = dit_json_object(model, "vocab", error);
    const char *token;
    json_t *id;
    char text[4];
    json_object_foreach(vocabulary.value, token, id)
    {
        if (!json_is_integer(id))
            return dit_json_fail(vocabulary, token, error, "must be an integer");
        if (add_token(t, vocabulary, token, json_integer_value(id), error))
            return error->status;
    }
    for (int byte = 0; byte < 256 && !error->status; byte++) {
        dit_byte_to_text((uint8_t)byte, text);
        t->bpe.byte_id[byte] = dit_tokenizer_find(t, text);
        if (t->bpe.byte_id[byte] < 0)
            dit_json_fail(model, "vocab", error, "has no token for the byte 0x%02x", byte);
    }
    return error->status;
}

// A merge is ["a", "b"] or, in older files, "a b". Joins both into `joined`, of `room` bytes; false when it is neither.
static bool split_merge(json_t *merge, char *joined, size_t room, char **second)
{
    const char *a = json_string_value(json_array_get(merge, 0)), *b = json_string_value(json_array_get(merge, 1));
    size_t n = a ? strlen(a) : 0;
    if (json_is_string(merge)) {
        a = json_string_value(merge);
        n = strcspn(a, " ");
        b = a[n] ? a + n + 1 : NULL;
    } else if (json_array_size(merge) != 2)
        return false;
    if (!a || !b || n == 0 || !*b || strchr(b, ' ') || n + strlen(b) + 2 > room)
        return false;
    memcpy(joined, a, n);
    joined[n] = 0;
    *second = joined + n + 1;
    strcpy(*second, b);
    return true;
}

static dit_status read_merges(dit_tokenizer *t, dit_json model, dit_error *error)
{
    enum { LONGEST = 4096 };
    char text[LONGEST], *second;
    dit_json merges = dit_json_list(model, "merges", error);
    for (size_t i = 0; i < dit_json_count(merges) && !error->status; i++) {
        if (!split_merge(json_array_get(merges.value, i), text, sizeof text, &second))
            return dit_json_fail(model, "merges", error, "has something else than a pair of tokens at place %zu", i);
        int a = dit_tokenizer_find(t, text), b = dit_tokenizer_find(t, second);
        memmove(second - 1, second, strlen(second) + 1);
        int joined = dit_tokenizer_find(t, text);
        if (a < 0 || b < 0 || joined < 0)
            return dit_json_fail(model, "merges", error, "joins tokens at place %zu that are not in the vocabulary", i);
        dit_error fault = {0};
        if (dit_bpe_add(&t->bpe, a, b, joined, &fault))
            return fault.status == DIT_BAD_FILE ? dit_json_fail(model, "merges", error, "is wrong: %s", fault.message)
                                                : dit_fail(error, fault.status, "%s", fault.message);
    }
    return error->status;
}

static dit_status read_model(dit_tokenizer *t, dit_json root, dit_error *error)
{
    static const char *const off[] = {
        "dropout",       "unk_token",    "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
        "byte_fallback", "ignore_merges"};
    dit_json model = dit_json_object(root, "model", error);
    if (!error->status && strcmp(dit_json_text(model, "type", error), "BPE") && !error->status)
        return unsupported(model, "type", error);
    for (size_t i = 0; i < sizeof off / sizeof *off && !error->status; i++)
        must_be_off(model, off[i], error);
    if (error->status || read_vocabulary(t, model, error) || read_merges(t, model, error))
        return error->status;
    dit_json_refuse_unread(model, error);
    return error->status;
}

// ---- Added tokens

static dit_status read_added_token(dit_tokenizer *t, dit_json item, struct dit_added *added, dit_error *error)
{
    static const char *const off[] = {"single_word", "lstrip", "rstrip", "normalized"};
    const char *content = dit_json_text(item, "content", error);
    int id = (int)dit_json_int(item, "id", 0, DIT_MOST_TOKENS - 1, error);
    dit_json_bool_or(item, "special", false, error); // matters for decoding only
    for (size_t i = 0; i < sizeof off / sizeof *off && !error->status; i++)
        must_be_off(item, off[i], error);
    dit_json_refuse_unread(item, error);
    if (error->status)
        return error->status;
    if (!*content)
        return dit_json_fail(item, "content", error, "is empty");
    int known = dit_tokenizer_find(t, content);
    if (known >= 0 && known != id)
        return dit_json_fail(item, "id", error, "is %d; \"%.60s\" has the id %d in the vocabulary", id, content, known);
    if (known < 0 && add_token(t, item, content, id, error))
        return error->status;
    *added = (struct dit_added){t->tokens[id], strlen(content), id};
    return DIT_OK;
}

static dit_status read_added(dit_tokenizer *t, dit_json root, dit_error *error)
{
    dit_json list = dit_json_list_or_empty(root, "added_tokens", error);
    size_t count = dit_json_count(list);
    if (count == 0)
        return error->status;
    t->added = dit_arena_alloc(t->arena, count * sizeof *t->added);
    if (!t->added)
        return no_memory(error);
    for (size_t i = 0; i < count && !error->status; i++)
        if (!read_added_token(t, dit_json_item(list, i, error), &t->added[i], error))
            t->added_count++;
    return error->status;
}

// ---- What happens to a text before and after the model

static dit_status read_normalizer(dit_tokenizer *t, dit_json step, dit_error *error)
{
    static const struct {
        const char *type;
        dit_normal normal;
    } known[] = {{"NFC", DIT_NORMAL_NFC},
                 {"NFD", DIT_NORMAL_NFD},
                 {"NFKC", DIT_NORMAL_NFKC},
                 {"NFKD", DIT_NORMAL_NFKD},
                 {"Lowercase", DIT_NORMAL_LOWERCASE}};
    if (t->normal_count + 2 > DIT_MOST_NORMALS)
        return unsupported(step, "type", error);
    const char *type = dit_json_text(step, "type", error);
    bool found = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(type, known[i].type)) {
            t->normals[t->normal_count++] = known[i].normal;
            found = true;
        }
    if (!strcmp(type, "Strip")) {
        if (dit_json_bool(step, "strip_left", error))
            t->normals[t->normal_count++] = DIT_NORMAL_STRIP_LEFT;
        if (dit_json_bool(step, "strip_right", error))
            t->normals[t->normal_count++] = DIT_NORMAL_STRIP_RIGHT;
        found = true;
    }
    if (!error->status && !found)
        return unsupported(step, "type", error);
    dit_json_refuse_unread(step, error);
    return error->status;
}

static dit_status read_normalizers(dit_tokenizer *t, dit_json root, dit_error *error)
{
    if (!dit_json_has(root, "normalizer"))
        return must_be_off(root, "normalizer", error);
    dit_json normalizer = dit_json_object(root, "normalizer", error);
    if (error->status || strcmp(dit_json_text(normalizer, "type", error), "Sequence"))
        return error->status ? error->status : read_normalizer(t, normalizer, error);
    dit_json list = dit_json_list(normalizer, "normalizers", error);
    for (size_t i = 0; i < dit_json_count(list) && !error->status; i++)
        read_normalizer(t, dit_json_item(list, i, error), error);
    dit_json_refuse_unread(normalizer, error);
    return error->status;
}

static dit_status read_pre_tokenizer(dit_tokenizer *t, dit_json root, dit_error *error)
{
    dit_json splitter = dit_json_object(root, "pre_tokenizer", error);
    if (!error->status && strcmp(dit_json_text(splitter, "type", error), "ByteLevel") && !error->status)
        return unsupported(splitter, "type", error);
    t->prefix_space = dit_json_bool(splitter, "add_prefix_space", error);
    dit_json_bool_or(splitter, "trim_offsets", true, error); // matters for places in the text only
    if (!dit_json_bool_or(splitter, "use_regex", true, error) && !error->status)
        return unsupported(splitter, "use_regex", error);
    dit_json_refuse_unread(splitter, error);
    return error->status;
}

// The ids of a special token of the template are appended to `ids`.
static dit_status read_special(dit_tokenizer *t, dit_json specials, dit_json token, int32_t *ids, int *count,
                               dit_error *error)
{
    const char *name = dit_json_text(token, "id", error);
    dit_json_int_or(token, "type_id", 0, 0, INT32_MAX, error);
    int64_t found[DIT_MOST_AROUND];
    dit_json special = dit_json_object(specials, error->status ? "" : name, error);
    size_t n = dit_json_ints(special, "ids", found, 1, (size_t)(DIT_MOST_AROUND - *count), 0, t->size - 1, error);
    for (size_t i = 0; i < n && !error->status; i++)
        ids[(*count)++] = (int32_t)found[i];
    return error->status;
}

static dit_status read_template(dit_tokenizer *t, dit_json processor, dit_error *error)
{
    static const char *const ignored[] = {"pair", NULL};
    dit_json list = dit_json_list(processor, "single", error);
    dit_json specials = dit_json_object_or_empty(processor, "special_tokens", error);
    dit_json_ignore(processor, ignored, error);
    bool text_came = false;
    for (size_t i = 0; i < dit_json_count(list) && !error->status; i++) {
        dit_json item = dit_json_item(list, i, error);
        if (dit_json_has(item, "Sequence") && !text_came) {
            dit_json_object(item, "Sequence", error);
            text_came = true;
        } else if (text_came)
            read_special(t, specials, dit_json_object(item, "SpecialToken", error), t->after, &t->after_count, error);
        else
            read_special(t, specials, dit_json_object(item, "SpecialToken", error), t->before, &t->before_count, error);
    }
    if (!error->status && !text_came)
        return dit_json_fail(processor, "single", error, "has no place for the text");
    dit_json_refuse_unread(processor, error);
    return error->status;
}

static dit_status read_post_processor(dit_tokenizer *t, dit_json root, dit_error *error)
{
    static const char *const byte_level[] = {"add_prefix_space", "trim_offsets", "use_regex", NULL};
    if (!dit_json_has(root, "post_processor"))
        return must_be_off(root, "post_processor", error);
    dit_json processor = dit_json_object(root, "post_processor", error);
    const char *type = dit_json_text(processor, "type", error);
    if (!strcmp(type, "TemplateProcessing"))
        return read_template(t, processor, error);
    dit_json_ignore(processor, byte_level, error);
    if (!error->status && strcmp(type, "ByteLevel")) // that one changes no ids
        return unsupported(processor, "type", error);
    dit_json_refuse_unread(processor, error);
    return error->status;
}

dit_status dit_tokenizer_read(dit_tokenizer *t, const char *path, dit_error *error)
{
    static const char *const ignored[] = {"version", "decoder", NULL}; // the decoder turns ids into text
    dit_error ours = {0};
    dit_json_file *file = NULL;
    if (!dit_json_open(&file, path, 0, &ours)) {
        dit_json root = dit_json_root(file);
        dit_json_ignore(root, ignored, &ours);
        if (!must_be_off(root, "truncation", &ours) && !must_be_off(root, "padding", &ours) &&
            !read_model(t, root, &ours) && !read_added(t, root, &ours) && !read_normalizers(t, root, &ours) &&
            !read_pre_tokenizer(t, root, &ours) && !read_post_processor(t, root, &ours))
            dit_json_refuse_unread(root, &ours);
    }
    dit_json_close(file);
    return ours.status ? dit_fail(error, ours.status, "%s", ours.message) : DIT_OK;
}
