// text/tokenizer_folder.c: tokenizers in folders: which of the files to read, and what tokenizer_config.json,
// special_tokens_map.json and added_tokens.json add to it. Vocabularies other than tokenizer.json are read in
// tokenizer_files.c.
#include "text/tokenizer_files.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *path_of(const struct dit_tokenizer_folder *f, const char *name, dit_error *error)
{
    const char *path = dit_arena_printf(f->tokenizer->arena, "%s/%s", f->path, name);
    if (!path)
        dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", f->path);
    return path ? path : "";
}

static bool has_file(const struct dit_tokenizer_folder *f, const char *name, dit_error *error)
{
    struct stat info;
    return stat(path_of(f, name, error), &info) == 0;
}

// Opens a file that need not be there; *file stays NULL then.
static dit_status open_if_there(const struct dit_tokenizer_folder *f, const char *name, dit_json_file **file,
                                dit_error *error)
{
    if (!has_file(f, name, error))
        return error->status;
    return dit_json_open(file, path_of(f, name, error), 0, error);
}

// ---- Settings

// Where a setting stands: special_tokens_map.json counts before tokenizer_config.json, unless that one lists the added
// tokens itself.
static dit_json place_of(const struct dit_tokenizer_folder *f, const char *key)
{
    dit_json config = f->config ? dit_json_root(f->config) : (dit_json){0};
    if (f->map && !(f->config && dit_json_has(config, "added_tokens_decoder")) &&
        dit_json_has(dit_json_root(f->map), key))
        return dit_json_root(f->map);
    return config;
}

bool dit_folder_flag(const struct dit_tokenizer_folder *f, const char *key, bool otherwise, dit_error *error)
{
    return f->config ? dit_json_bool_or(dit_json_root(f->config), key, otherwise, error) : otherwise;
}

int64_t dit_folder_number(const struct dit_tokenizer_folder *f, const char *key, int64_t otherwise, dit_error *error)
{
    return f->config ? dit_json_int_or(dit_json_root(f->config), key, otherwise, 0, DIT_MOST_TOKENS, error) : otherwise;
}

// A token as {"content": ..., "lstrip": ...}.
static dit_added_token read_flags(const struct dit_tokenizer_folder *f, dit_json item, bool special, dit_error *error)
{
    dit_added_token token = {.special = dit_json_bool_or(item, "special", special, error)};
    token.content = dit_arena_copy_text(f->tokenizer->arena, dit_json_text(item, "content", error));
    token.normalized = dit_json_bool_or(item, "normalized", !token.special, error);
    token.single_word = dit_json_bool_or(item, "single_word", false, error);
    token.strip_left = dit_json_bool_or(item, "lstrip", false, error);
    token.strip_right = dit_json_bool_or(item, "rstrip", false, error);
    if (!token.content && !error->status)
        dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its tokens", f->path);
    return token;
}

// A special token by its key, "eos_token"; content is "" where there is none.
static dit_added_token find_special(const struct dit_tokenizer_folder *f, const char *key, const char *otherwise,
                                    dit_error *error)
{
    dit_json place = place_of(f, key);
    json_t *value = json_object_get(place.value, key);
    if (json_is_object(value))
        return read_flags(f, dit_json_object(place, key, error), true, error);
    const char *text = value && json_is_null(value) ? "" : value ? dit_json_text(place, key, error) : otherwise;
    text = dit_arena_copy_text(f->tokenizer->arena, text);
    if (!text)
        dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its tokens", f->path);
    return (dit_added_token){.content = text ? text : "", .special = true};
}

const char *dit_folder_token(const struct dit_tokenizer_folder *f, const char *key, const char *otherwise,
                             dit_error *error)
{
    return find_special(f, key, otherwise, error).content;
}

// ---- Added tokens

static dit_status add(const struct dit_tokenizer_folder *f, dit_added_token token, int64_t id, dit_error *error)
{
    dit_error fault = {0};
    if (error->status || !*token.content)
        return error->status;
    if (dit_tokenizer_add(f->tokenizer, token, id, &fault))
        return dit_fail(error, fault.status, "%s: the id of \"%.60s\" %s", f->path, token.content, fault.message);
    return DIT_OK;
}

static bool is_added(const dit_tokenizer *t, const char *content)
{
    int id = dit_tokenizer_find(t, content);
    return id >= 0 && (size_t)id < t->added_of_id_count && t->added_of_id[id] >= 0;
}

// "added_tokens_decoder" of tokenizer_config.json: an id and a token each, in the order of ids.
static dit_status add_decoder(const struct dit_tokenizer_folder *f, dit_error *error)
{
    dit_json decoder = dit_json_object_or_empty(dit_json_root(f->config), "added_tokens_decoder", error);
    const char *key;
    json_t *value;
    json_object_foreach(decoder.value, key, value)
    {
        dit_json item = dit_json_object(decoder, key, error);
        char *end;
        long long id = strtoll(key, &end, 10);
        if (!error->status && (*end || end == key || id < 0 || id >= DIT_MOST_TOKENS))
            return dit_json_fail(decoder, key, error, "is no id of a token");
        dit_added_token token = read_flags(f, item, false, error);
        bool known = !error->status && dit_tokenizer_find(f->tokenizer, token.content) >= 0;
        if (error->status || add(f, token, known ? -1 : id, error))
            return error->status;
    }
    return error->status;
}

// added_tokens.json: {"token": id}.
static dit_status add_listed(const struct dit_tokenizer_folder *f, dit_json_file *file, dit_error *error)
{
    dit_json root = dit_json_root(file);
    const char *key;
    json_t *value;
    json_object_foreach(root.value, key, value)
    {
        int64_t id = dit_json_int(root, key, 0, DIT_MOST_TOKENS - 1, error);
        dit_added_token token = {.content = dit_arena_copy_text(f->tokenizer->arena, key), .normalized = true};
        if (!token.content)
            return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its tokens", f->path);
        bool known = dit_tokenizer_find(f->tokenizer, token.content) >= 0;
        if (error->status || add(f, token, known ? -1 : id, error))
            return error->status;
    }
    return error->status;
}

// A list of tokens, as texts or objects.
static dit_status add_list(const struct dit_tokenizer_folder *f, const char *key, dit_error *error)
{
    dit_json place = place_of(f, key);
    if (!json_is_array(json_object_get(place.value, key)))
        return DIT_OK; // absent, null, or an object of names for tokens, which are special ones
    dit_json list = dit_json_list(place, key, error);
    for (size_t i = 0; i < dit_json_count(list) && !error->status; i++) {
        json_t *value = json_array_get(list.value, i);
        dit_added_token token = {.special = true};
        if (json_is_string(value))
            token.content = dit_arena_copy_text(f->tokenizer->arena, json_string_value(value));
        else
            token = read_flags(f, dit_json_item(list, i, error), true, error);
        if (!token.content)
            return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its tokens", f->path);
        if (!error->status && !is_added(f->tokenizer, token.content))
            add(f, token, -1, error);
    }
    return error->status;
}

// The special tokens that have names. Two names may share a token: then the last one's settings count.
static dit_status add_named(const struct dit_tokenizer_folder *f, const struct dit_tokenizer_class *class,
                            dit_error *error)
{
    static const char *const keys[DIT_CLASS_TOKENS] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                                       "pad_token", "cls_token", "mask_token"};
    dit_added_token named[DIT_CLASS_TOKENS];
    bool known[DIT_CLASS_TOKENS];
    for (int i = 0; i < DIT_CLASS_TOKENS; i++) {
        named[i] = find_special(f, keys[i], class ? class->tokens[i] : "", error);
        known[i] = error->status || is_added(f->tokenizer, named[i].content);
    }
    for (int i = 0; i < DIT_CLASS_TOKENS && !error->status; i++)
        if (!known[i])
            add(f, named[i], -1, error);
    return error->status;
}

static dit_status add_special_tokens(const struct dit_tokenizer_folder *f, const struct dit_tokenizer_class *class,
                                     dit_error *error)
{
    dit_json_file *listed = NULL;
    if (f->config && dit_json_has(dit_json_root(f->config), "added_tokens_decoder"))
        add_decoder(f, error);
    else if (!open_if_there(f, "added_tokens.json", &listed, error) && listed)
        add_listed(f, listed, error);
    add_named(f, class, error);
    add_list(f, "additional_special_tokens", error);
    add_list(f, "extra_special_tokens", error);
    dit_json_close(listed);
    return error->status;
}

// ---- Habits

static dit_status read_habits(const struct dit_tokenizer_folder *f, const struct dit_tokenizer_class *class,
                              dit_error *error)
{
    static const char *const sides[] = {"left", "right", NULL};
    dit_tokenizer_habits *habits = &f->tokenizer->habits;
    const char *pad = dit_folder_token(f, "pad_token", class ? class->tokens[DIT_CLASS_PAD] : "", error);
    if (*pad && !error->status)
        habits->pad_id = dit_tokenizer_find(f->tokenizer, pad);
    const char *eos = dit_folder_token(f, "eos_token", class ? class->tokens[DIT_CLASS_EOS] : "", error);
    if (*eos && !error->status)
        habits->eos_id = dit_tokenizer_find(f->tokenizer, eos);
    if (class)
        habits->pad_left = class->pads_left;
    if (!f->config)
        return error->status;
    dit_json root = dit_json_root(f->config);
    habits->pad_left = dit_json_choice_or(root, "padding_side", sides, !habits->pad_left, error) == 0;
    habits->cut_left = dit_json_choice_or(root, "truncation_side", sides, !habits->cut_left, error) == 0;
    json_t *most = json_object_get(root.value, "model_max_length");
    if (json_is_number(most)) { // 1e30, written out, where there is no limit
        double n = json_number_value(most);
        habits->most = n >= 1 && n <= INT32_MAX ? (size_t)n : 0;
    }
    return error->status;
}

// ---- The whole

// The class that the configuration names, without "Fast" at its end; NULL: it names none.
static const char *class_name(const struct dit_tokenizer_folder *f, dit_error *error)
{
    const char *name = f->config ? dit_json_text_or(dit_json_root(f->config), "tokenizer_class", "", error) : "";
    size_t n = strlen(name);
    char *copy = dit_arena_copy_text(f->tokenizer->arena, name);
    if (!copy)
        dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", f->path);
    else if (n > 4 && !strcmp(name + n - 4, "Fast"))
        copy[n - 4] = 0;
    return copy && *copy ? copy : NULL;
}

dit_status dit_folder_complete(struct dit_tokenizer_folder *f, const struct dit_tokenizer_class *class,
                               dit_error *error)
{
    if (add_special_tokens(f, class, error) || read_habits(f, class, error))
        return error->status;
    if (class && dit_folder_read_steps(f, class, error))
        return error->status;
    return dit_tokenizer_prepare(f->tokenizer, error);
}

// `name`: the vocabulary to read; NULL: the best there is.
static dit_status read_files(struct dit_tokenizer_folder *f, const char *name, dit_error *error)
{
    static const char *const known[] = {"tokenizer.json", "spiece.model", "tokenizer.model", "vocab.json", "vocab.txt"};
    const struct dit_tokenizer_class *class = NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known && !name; i++)
        if (has_file(f, known[i], error))
            name = known[i];
    if (!name)
        return dit_fail(
            error, DIT_NO_FILE,
            "%s: holds no tokenizer: none of tokenizer.json, spiece.model, tokenizer.model, vocab.json with "
            "merges.txt, vocab.txt",
            f->path);
    if (!strcmp(name, "tokenizer.json"))
        dit_tokenizer_read(f->tokenizer, path_of(f, name, error), error);
    else
        dit_folder_read_vocabulary(f, name, class_name(f, error), &class, error);
    return error->status ? error->status : dit_folder_complete(f, class, error);
}

static dit_status read_folder(dit_tokenizer *t, const char *path, const char *name, dit_error *error)
{
    struct dit_tokenizer_folder f = {.tokenizer = t, .path = path};
    if (!open_if_there(&f, "tokenizer_config.json", &f.config, error) &&
        !open_if_there(&f, "special_tokens_map.json", &f.map, error))
        read_files(&f, name, error);
    dit_json_close(f.config);
    dit_json_close(f.map);
    return error->status;
}

dit_status dit_tokenizer_read_folder(dit_tokenizer *t, const char *folder, dit_error *error)
{
    return read_folder(t, folder, NULL, error);
}

dit_status dit_tokenizer_read_other(dit_tokenizer *t, const char *path, dit_error *error)
{
    char *folder = dit_arena_copy_text(t->arena, path), *slash = folder ? strrchr(folder, '/') : NULL;
    if (!folder)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", path);
    const char *name = slash ? slash + 1 : path;
    if (slash)
        *slash = 0;
    return read_folder(t,
                       slash == folder ? "/"
                       : slash         ? folder
                                       : ".",
                       strcmp(name, "merges.txt") ? name : "vocab.json", error);
}
