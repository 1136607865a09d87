// train/dataset.c: opening a training set by its form; what the forms have in common.
#include "media/image.h"
#include "train/dataset_private.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool dit_is_file(const char *path)
{
    struct stat info;
    return path && stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool dit_is_folder(const char *path)
{
    struct stat info;
    return path && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

dit_status dit_dataset_add(dit_dataset *set, dit_sample sample, dit_error *error)
{
    if (!dit_grow(&set->samples, &set->capacity, set->count + 1, sizeof *set->samples))
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its list of samples", set->folder);
    set->samples[set->count++] = sample;
    return DIT_OK;
}

dit_status dit_dataset_add_class(dit_dataset *set, const char *name, dit_error *error)
{
    if (set->classes >= DIT_MOST_CLASSES)
        return dit_fail(error, DIT_BAD_FILE, "%s: has more than %d classes", set->folder, DIT_MOST_CLASSES);
    const char *copy = dit_arena_copy_text(set->arena, name);
    if (!copy || !dit_grow(&set->class_names, &set->class_capacity, (size_t)set->classes + 1, sizeof(char *)))
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its classes", set->folder);
    set->class_names[set->classes++] = copy;
    return DIT_OK;
}

const char *dit_dataset_path(const dit_dataset *set, const char *name)
{
    return dit_arena_printf(set->arena, "%s/%s", set->folder, name);
}

char *dit_dataset_locate(const char *name)
{
    if (dit_is_folder(name))
        return strdup(name);
    if (strchr(name, '/') || !*name || name[0] == '.')
        return NULL;
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    bool has_cache = cache && *cache;
    const char *parts[] = {has_cache ? cache : home, has_cache ? "" : "/.cache", "/dit/data/", name};
    if (!parts[0])
        return NULL;
    size_t size = 1;
    for (int i = 0; i < 4; i++)
        size += strlen(parts[i]);
    char *path = calloc(1, size);
    for (int i = 0; i < 4 && path; i++)
        strcat(path, parts[i]);
    if (path && dit_is_folder(path))
        return path;
    free(path);
    return NULL;
}

static dit_status read_set(dit_dataset *set, const char *path, const dit_dataset_options *options, dit_error *error)
{
    char *folder = dit_dataset_locate(path);
    set->folder = folder ? dit_arena_copy_text(set->arena, folder) : NULL;
    free(folder);
    if (!set->folder && dit_is_file(path))
        return dit_fail(error, DIT_NO_FILE, "%s: is a file; a training set is a folder", path);
    if (!set->folder)
        return dit_fail(error, DIT_NO_FILE, "%s: there is no such folder, nor a set of that name made by tools/data",
                        path);
    const char *split = options->split;
    if (split && (!*split || strchr(split, '/') || split[0] == '.'))
        return dit_fail(error, DIT_BAD_ARGUMENT, "the split \"%s\" of %s is not the name of a folder", split, path);
    const char *subfolder = split ? dit_dataset_path(set, split) : NULL;
    if (dit_is_folder(subfolder)) {
        set->folder = subfolder;
        split = NULL;
    }
    if (dit_idx_found(set, split))
        return dit_idx_read(set, split, error);
    if (split)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: has no split \"%s\": no such subfolder, no such IDX files", path,
                        split);
    return dit_captions_found(set) ? dit_captions_read(set, options, error) : dit_classes_read(set, error);
}

dit_status dit_dataset_open(dit_dataset **out, const char *path, const dit_dataset_options *options, dit_error *error)
{
    static const dit_dataset_options none = {0};
    *out = NULL;
    dit_dataset *set = calloc(1, sizeof *set);
    if (set)
        set->arena = dit_arena_new();
    dit_status status;
    if (!set || !set->arena)
        status = dit_fail(error, DIT_NO_MEMORY, "%s: no memory to open it", path);
    else
        status = read_set(set, path, options ? options : &none, error);
    if (!status && set->count == 0)
        status = dit_fail(error, DIT_BAD_FILE, "%s: holds no samples", set->folder);
    if (status)
        dit_dataset_close(set);
    else
        *out = set;
    return status;
}

void dit_dataset_close(dit_dataset *set)
{
    if (!set)
        return;
    free(set->pixels);
    free(set->samples);
    free(set->class_names);
    dit_arena_free(set->arena);
    free(set);
}

size_t dit_dataset_count(const dit_dataset *set)
{
    return set->count;
}

int dit_dataset_classes(const dit_dataset *set)
{
    return set->classes;
}

const char *dit_dataset_class_name(const dit_dataset *set, int label)
{
    return label >= 0 && label < set->classes ? set->class_names[label] : "";
}

dit_sample dit_dataset_sample(const dit_dataset *set, size_t index)
{
    return set->samples[index];
}

dit_status dit_dataset_read(const dit_dataset *set, size_t index, dit_image *image, dit_error *error)
{
    if (!set->pixels)
        return dit_image_load(image, set->samples[index].name, 0, error);
    dit_status status = dit_image_alloc(image, set->width, set->height, 1, error);
    size_t size = (size_t)set->width * (size_t)set->height;
    if (!status)
        memcpy(image->pixels, set->pixels + index * size, size);
    return status;
}
