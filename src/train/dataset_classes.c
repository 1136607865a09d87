// train/dataset_classes.c: pictures in folders whose names are the labels.
#include "train/dataset_private.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_picture_name(const char *name)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".webp"};
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t m = strlen(endings[i]);
        if (n > m && !strcasecmp(name + n - m, endings[i]))
            return true;
    }
    return false;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

// The entries of a folder in the order of their names' bytes, whatever the file system's order and the locale.
static dit_status list_folder(const char *path, struct dirent ***entries, int *count, dit_error *error)
{
    *count = scandir(path, entries, visible, by_bytes);
    return *count < 0 ? dit_fail_errno(error, errno, "%s: cannot list the folder", path) : DIT_OK;
}

static void free_list(struct dirent **entries, int count)
{
    for (int i = 0; i < count; i++)
        free(entries[i]);
    if (count >= 0)
        free(entries);
}

// Adds the pictures of a folder below the set's; `name` is NULL for the set's folder itself, whose pictures have no
// label.
static dit_status add_pictures(dit_dataset *set, const char *name, dit_error *error)
{
    const char *folder = name ? dit_dataset_path(set, name) : set->folder;
    struct dirent **entries;
    int count, label = name ? set->classes : -1;
    if (!folder)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its list of samples", set->folder);
    if (list_folder(folder, &entries, &count, error))
        return error->status;
    size_t before = set->count;
    for (int i = 0; i < count && !error->status; i++) {
        const char *path = is_picture_name(entries[i]->d_name)
                               ? dit_arena_printf(set->arena, "%s/%s", folder, entries[i]->d_name)
                               : NULL;
        if (path)
            dit_dataset_add(set, (dit_sample){.name = path, .label = label}, error);
    }
    if (!error->status && name && set->count > before)
        dit_dataset_add_class(set, name, error);
    free_list(entries, count);
    return error->status;
}

dit_status dit_classes_read(dit_dataset *set, dit_error *error)
{
    struct dirent **entries;
    int count;
    if (list_folder(set->folder, &entries, &count, error))
        return error->status;
    for (int i = 0; i < count && !error->status; i++)
        if (dit_is_folder(dit_dataset_path(set, entries[i]->d_name)))
            add_pictures(set, entries[i]->d_name, error);
    if (!error->status && set->count == 0) // a flat folder: pictures about which nothing is said
        add_pictures(set, NULL, error);
    if (!error->status && set->count == 0)
        dit_fail(error, DIT_BAD_FILE,
                 "%s: is no training set: no metadata.jsonl, no folders of pictures, no IDX files, no pictures",
                 set->folder);
    free_list(entries, count);
    return error->status;
}
