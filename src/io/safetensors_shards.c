// io/safetensors_shards.c: the weights of a folder, and sets of shards with their index.
#include "io/json.h"
#include "io/safetensors_private.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_SHARDS = 10000 };

// Where the weights of a saved model are, in order of preference. diffusers takes an index before a single file,
// transformers the other way round; a variant counts only where nothing else is there.
static const char *const names[] = {
    "diffusion_pytorch_model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors",
    "model.safetensors",
    "model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors.index.bf16.json",
    "diffusion_pytorch_model.bf16.safetensors",
    "diffusion_pytorch_model.safetensors.index.fp16.json",
    "diffusion_pytorch_model.fp16.safetensors",
    "model.bf16.safetensors",
    "model.safetensors.index.bf16.json",
    "model.fp16.safetensors",
    "model.safetensors.index.fp16.json",
};

// "ema" of "model.ema.safetensors" or "model.safetensors.index.ema.json", which is below 64 bytes; false for other
// names.
static bool variant_of(const char *name, char *variant)
{
    static const char *const starts[] = {"diffusion_pytorch_model.", "model."};
    static const char index[] = "safetensors.index.", shard[] = ".safetensors", json[] = ".json";
    for (int i = 0; i < 2; i++) {
        if (strncmp(name, starts[i], strlen(starts[i])) != 0)
            continue;
        const char *at = name + strlen(starts[i]), *end = shard;
        if (!strncmp(at, index, sizeof index - 1)) {
            at += sizeof index - 1;
            end = json;
        }
        size_t size = strlen(at), tail = strlen(end);
        if (size <= tail || size - tail >= 64 || strcmp(at + size - tail, end) != 0 || strstr(at, "-of-"))
            continue;
        memcpy(variant, at, size - tail);
        variant[size - tail] = 0;
        return true;
    }
    return false;
}

// The one variant of the weights in a folder that has no weights under the usual names. An empty *found: there is none;
// more than one is an error that names two.
static dit_status find_only_variant(dit_arena *arena, const char *folder, const char **found, dit_error *error)
{
    char first[64] = "", variant[64];
    struct dirent *entry;
    DIR *entries = opendir(folder);
    *found = "";
    if (!entries)
        return dit_fail_errno(error, errno, "%s: cannot open", folder);
    while ((entry = readdir(entries)) && !error->status) {
        if (!variant_of(entry->d_name, variant))
            continue;
        if (*first && strcmp(first, variant) != 0)
            dit_fail(error, DIT_NO_FILE, "%s: holds weights of the variants %.40s and %.40s; choose with --variant",
                     folder, strcmp(first, variant) < 0 ? first : variant,
                     strcmp(first, variant) < 0 ? variant : first);
        snprintf(first, sizeof first, "%s", variant);
        *found = dit_arena_printf(arena, "%s/%s", folder, entry->d_name);
        if (!*found)
            dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its name", folder);
    }
    closedir(entries);
    return error->status;
}

bool dit_safetensors_is_in(const char *folder)
{
    struct stat info;
    struct dirent *entry;
    bool found = false;
    char path[4096];
    DIR *entries = opendir(folder);
    while (entries && !found && (entry = readdir(entries)))
        found = variant_of(entry->d_name, path);
    if (entries)
        closedir(entries);
    if (found)
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, names[i]) < sizeof path && !stat(path, &info))
            return true;
    return false;
}

dit_status dit_safetensors_locate(dit_arena *arena, const char *path, const char **found, dit_error *error)
{
    struct stat info;
    if (stat(path, &info))
        return dit_fail_errno(error, errno, "%s: cannot open", path);
    if (!S_ISDIR(info.st_mode)) {
        *found = dit_arena_copy_text(arena, path);
        return *found ? DIT_OK : dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its name", path);
    }
    size_t length = strlen(path);
    const char *slash = length && path[length - 1] == '/' ? "" : "/";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *found = dit_arena_printf(arena, "%s%s%s", path, slash, names[i]);
        if (!*found)
            return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its name", path);
        if (!stat(*found, &info))
            return DIT_OK;
    }
    if (find_only_variant(arena, path, found, error) || **found)
        return error->status;
    return dit_fail(
        error, DIT_NO_FILE,
        "%s: holds no weights; expected diffusion_pytorch_model.safetensors or model.safetensors, or one of "
        "these with .index.json and shards",
        path);
}

// A shard lies beside its index: a name with a folder in it could reach any file of the machine.
static bool is_shard_name(const char *name)
{
    size_t length = strlen(name);
    return length > 12 && length < 256 && !strchr(name, '/') && !strcmp(name + length - 12, ".safetensors");
}

// Opens each file of the weight map once. `numbers` receives its place in the set.
static dit_status open_shards(dit_safetensors *set, const char *index_path, json_t *weight_map, json_t *numbers,
                              dit_error *error)
{
    const char *slash = strrchr(index_path, '/');
    int folder = slash ? (int)(slash - index_path) + 1 : 0;
    const char *name;
    json_t *value;
    json_object_foreach(weight_map, name, value)
    {
        const char *shard = json_string_value(value);
        if (!shard || !is_shard_name(shard))
            return dit_fail(error, DIT_BAD_FILE,
                            "%s: \"weight_map.%.80s\" must name a .safetensors file in the same folder, not \"%.80s\"",
                            index_path, name, shard ? shard : "");
        if (json_object_get(numbers, shard))
            continue;
        if (set->file_count == MOST_SHARDS)
            return dit_fail(error, DIT_BAD_FILE, "%s: lists more than %d files", index_path, MOST_SHARDS);
        const char *path = dit_arena_printf(set->arena, "%.*s%s", folder, index_path, shard);
        if (!path || json_object_set_new(numbers, shard, json_integer((json_int_t)set->file_count)))
            return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to read it", index_path);
        dit_status status = dit_safetensors_add_file(set, path, error);
        if (status) {
            dit_error_locate(error, index_path);
            return status;
        }
    }
    return DIT_OK;
}

static dit_status check_against_map(const dit_safetensors *set, const char *index_path, json_t *weight_map,
                                    const json_t *numbers, dit_error *error)
{
    const char *name;
    json_t *shard;
    json_object_foreach(weight_map, name, shard)
    {
        ptrdiff_t found = dit_safetensors_find(set, name);
        if (found < 0)
            return dit_fail(error, DIT_BAD_FILE, "%s: tensor \"%.80s\" should be in %.80s, which does not hold it",
                            index_path, name, json_string_value(shard));
        if (set->entries[found].file != json_integer_value(json_object_get(numbers, json_string_value(shard))))
            return dit_fail(error, DIT_BAD_FILE, "%s: tensor \"%.80s\" should be in %.80s, but is in %s", index_path,
                            name, json_string_value(shard), dit_safetensors_file_of(set, (size_t)found));
    }
    for (size_t i = 0; i < set->count; i++)
        if (!json_object_get(weight_map, set->entries[i].name))
            return dit_fail(error, DIT_BAD_FILE, "%s: does not list tensor \"%.80s\", which is in %s", index_path,
                            set->entries[i].name, dit_safetensors_file_of(set, i));
    return DIT_OK;
}

dit_status dit_safetensors_add_shards(dit_safetensors *set, const char *index_path, dit_error *error)
{
    dit_json_file *file;
    dit_error found = {0};
    dit_status status = dit_json_open(&file, index_path, 0, &found);
    if (status)
        return dit_fail(error, status, "%s", found.message);
    json_t *numbers = json_object();
    json_t *weight_map = dit_json_object(dit_json_root(file), "weight_map", &found).value;
    const json_t *root = dit_json_root(file).value;
    if (json_is_object(root) && !json_object_get(root, "weight_map")) // a config.json, by its ending
        status = dit_fail(error, DIT_BAD_FILE,
                          "%s: \"weight_map\" is missing: this is no list of shards; name a file of weights, or the "
                          "folder that a configuration lies in",
                          index_path);
    else if (!weight_map)
        status = dit_fail(error, found.status, "%s", found.message);
    else if (json_object_size(weight_map) == 0)
        status = dit_fail(error, DIT_BAD_FILE, "%s: \"weight_map\" is empty", index_path);
    else if (!numbers)
        status = dit_fail(error, DIT_NO_MEMORY, "%s: no memory to read it", index_path);
    if (!status)
        status = open_shards(set, index_path, weight_map, numbers, error);
    if (!status)
        status = dit_safetensors_index_names(set, error);
    if (!status)
        status = check_against_map(set, index_path, weight_map, numbers, error);
    json_decref(numbers);
    dit_json_close(file);
    return status;
}
