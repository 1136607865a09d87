// io/torch_set.c: sets of files by torch.save.
#include "io/torch_set.h"
#include "io/json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FILES = 10000 };

struct dit_torch_set {
    char *path;
    int count;
    struct part {
        dit_torch_zip *file;
        size_t first; // place of its first tensor in the set
    } * parts;
    size_t tensors;
};

bool dit_is_torch_index(const char *path)
{
    const char *slash = strrchr(path, '/'), *index = strstr(slash ? slash : path, ".bin.index.");
    size_t n = strlen(path);
    return index && n > 5 && !strcmp(path + n - 5, ".json");
}

static dit_status add_file(dit_torch_set *set, const char *path, dit_error *error)
{
    struct part *more = realloc(set->parts, (size_t)(set->count + 1) * sizeof *more);
    if (!more)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", path);
    set->parts = more;
    more[set->count] = (struct part){.first = set->tensors};
    if (dit_torch_zip_open(&more[set->count].file, path, error))
        return error->status;
    set->tensors += dit_torch_zip_count(more[set->count++].file);
    return DIT_OK;
}

// A file lies beside its index: a name with a folder in it could reach any file of the machine.
static bool is_file_name(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && n < 256 && !strchr(name, '/') && !strcmp(name + n - 4, ".bin");
}

// Opens each file of the map once; `numbers` gets its place in the set.
static dit_status open_files(dit_torch_set *set, json_t *weight_map, json_t *numbers, dit_error *error)
{
    const char *slash = strrchr(set->path, '/'), *name;
    json_t *value;
    json_object_foreach(weight_map, name, value)
    {
        char path[4096];
        const char *file = json_string_value(value);
        if (!file || !is_file_name(file))
            return dit_fail(error, DIT_BAD_FILE,
                            "%s: \"weight_map.%.80s\" must name a .bin file in the same folder, not \"%.80s\"",
                            set->path, name, file ? file : "");
        if (json_object_get(numbers, file))
            continue;
        int n = snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash - set->path) + 1 : 0, set->path, file);
        if (set->count == MOST_FILES || (size_t)n >= sizeof path)
            return dit_fail(error, DIT_BAD_FILE, "%s: lists more than %d files, or names too long", set->path,
                            MOST_FILES);
        if (json_object_set_new(numbers, file, json_integer(set->count)))
            return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to read it", set->path);
        if (add_file(set, path, error)) {
            dit_error_locate(error, set->path);
            return error->status;
        }
    }
    return DIT_OK;
}

// Every tensor that is listed lies in its file, and every tensor of the files is listed: so none is there twice.
static dit_status check_against_map(const dit_torch_set *set, json_t *weight_map, const json_t *numbers,
                                    dit_error *error)
{
    const char *name;
    json_t *value;
    json_object_foreach(weight_map, name, value)
    {
        const char *file = json_string_value(value);
        int k = (int)json_integer_value(json_object_get(numbers, file));
        if (dit_torch_zip_find(set->parts[k].file, name) < 0)
            return dit_fail(error, DIT_BAD_FILE, "%s: tensor \"%.80s\" should be in %.80s, which does not hold it",
                            set->path, name, file);
    }
    for (int k = 0; k < set->count; k++)
        for (size_t i = 0; i < dit_torch_zip_count(set->parts[k].file); i++) {
            const char *path = dit_torch_zip_path(set->parts[k].file);
            name = dit_torch_zip_at(set->parts[k].file, i)->name;
            value = json_object_get(weight_map, name);
            if (!value || json_integer_value(json_object_get(numbers, json_string_value(value))) != k)
                return dit_fail(error, DIT_BAD_FILE, "%s: does not list tensor \"%.80s\", which is in %s", set->path,
                                name, path);
        }
    return DIT_OK;
}

static dit_status open_index(dit_torch_set *set, dit_error *error)
{
    dit_json_file *file = NULL;
    if (dit_json_open(&file, set->path, 0, error))
        return error->status;
    json_t *weight_map = dit_json_object(dit_json_root(file), "weight_map", error).value, *numbers = json_object();
    if (!error->status && !numbers)
        dit_fail(error, DIT_NO_MEMORY, "%s: no memory to read it", set->path);
    else if (!error->status && !json_object_size(weight_map))
        dit_fail(error, DIT_BAD_FILE, "%s: \"weight_map\" is empty", set->path);
    if (!error->status && !open_files(set, weight_map, numbers, error))
        check_against_map(set, weight_map, numbers, error);
    json_decref(numbers);
    dit_json_close(file);
    return error->status;
}

dit_status dit_torch_set_open(dit_torch_set **out, const char *path, dit_error *error)
{
    dit_error own = {0};
    dit_torch_set *set = calloc(1, sizeof *set);
    if (!set || !(set->path = strdup(path)))
        dit_fail(&own, DIT_NO_MEMORY, "%s: no memory to open it", path);
    else if (dit_is_torch_index(path))
        open_index(set, &own);
    else
        add_file(set, path, &own);
    if (own.status) {
        dit_torch_set_close(set);
        return dit_fail(error, own.status, "%s", own.message);
    }
    *out = set;
    return DIT_OK;
}

void dit_torch_set_close(dit_torch_set *set)
{
    if (!set)
        return;
    for (int k = 0; k < set->count; k++)
        dit_torch_zip_close(set->parts[k].file);
    free(set->parts);
    free(set->path);
    free(set);
}

const char *dit_torch_set_path(const dit_torch_set *set)
{
    return set->path;
}

size_t dit_torch_set_count(const dit_torch_set *set)
{
    return set->tensors;
}

static const struct part *part_of(const dit_torch_set *set, size_t index)
{
    int k = set->count - 1;
    while (k > 0 && set->parts[k].first > index)
        k--;
    return &set->parts[k];
}

const char *dit_torch_set_file_of(const dit_torch_set *set, size_t index)
{
    return dit_torch_zip_path(part_of(set, index)->file);
}

const dit_torch_entry *dit_torch_set_at(const dit_torch_set *set, size_t index)
{
    const struct part *p = part_of(set, index);
    return dit_torch_zip_at(p->file, index - p->first);
}

ptrdiff_t dit_torch_set_find(const dit_torch_set *set, const char *name)
{
    for (int k = 0; k < set->count; k++) {
        ptrdiff_t found = dit_torch_zip_find(set->parts[k].file, name);
        if (found >= 0)
            return found + (ptrdiff_t)set->parts[k].first;
    }
    return -1;
}

dit_status dit_torch_set_array(dit_torch_set *set, size_t index, dit_array *array, dit_error *error)
{
    const struct part *p = part_of(set, index);
    return dit_torch_zip_array(p->file, index - p->first, array, error);
}

// The file that the array's bytes are mapped from, or NULL.
static const dit_torch_zip *owner(const dit_torch_set *set, const dit_array *array)
{
    for (int k = 0; k < set->count; k++)
        if (dit_torch_zip_is_mapped(set->parts[k].file, array))
            return set->parts[k].file;
    return NULL;
}

void dit_torch_set_release(const dit_torch_set *set, const dit_array *array)
{
    const dit_torch_zip *file = owner(set, array);
    if (file)
        dit_torch_zip_release(file, array);
}

void dit_torch_set_prefetch(const dit_torch_set *set, const dit_array *array)
{
    const dit_torch_zip *file = owner(set, array);
    if (file)
        dit_torch_zip_prefetch(file, array);
}

bool dit_torch_set_is_mapped(const dit_torch_set *set, const dit_array *array)
{
    return owner(set, array);
}
