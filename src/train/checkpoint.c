// train/checkpoint.c: saving, pruning, finding and loading checkpoints.
#include "train/checkpoint.h"
#include "base/arena.h"
#include "io/safetensors.h"
#include "train/identity.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEPT = 2, MAX_PATH = 4096, MAX_NAME = 512 };
static const int64_t MOST_STEPS = 1000000000000000; // as in recipes
static const char *const kinds[] = {"weight", "m", "v", "ema0", "ema1", "ema2", "ema3"};

static dit_dtype dtype_of(const dit_optimizer *o, int kind)
{
    return kind == 1 || kind == 2 ? o->options.moments : DIT_F32;
}

static void *state_of(const dit_optimized *item, int kind)
{
    return kind == 0 ? item->weight : kind == 1 ? item->m : kind == 2 ? item->v : item->ema[kind - 3];
}

static void name_of(char name[64], int64_t steps)
{
    snprintf(name, 64, "checkpoint-%08" PRId64 ".safetensors", steps);
}

static dit_status path_of(char path[MAX_PATH], const char *folder, int64_t steps, dit_error *error)
{
    char name[64];
    name_of(name, steps);
    if (snprintf(path, MAX_PATH, "%s/%s", folder, name) >= MAX_PATH)
        return dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", folder);
    return DIT_OK;
}

// The steps of every checkpoint in the folder, newest first; the list is malloc'd.
static int by_newest(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

static dit_status list(const char *folder, int64_t **steps, int *count, dit_error *error)
{
    size_t capacity = 0;
    *steps = NULL;
    *count = 0;
    DIR *d = opendir(folder);
    if (!d)
        return errno == ENOENT ? DIT_OK : dit_fail_errno(error, errno, "%s", folder);
    for (struct dirent *e; (e = readdir(d)) && !error->status;) {
        char name[64];
        int64_t number;
        if (sscanf(e->d_name, "checkpoint-%15" SCNd64, &number) != 1)
            continue;
        name_of(name, number);
        if (strcmp(e->d_name, name)) // some other file
            continue;
        if (!dit_grow(steps, &capacity, (size_t)*count + 1, sizeof **steps))
            dit_fail(error, DIT_NO_MEMORY, "%s: no memory to list the checkpoints", folder);
        else
            (*steps)[(*count)++] = number;
    }
    closedir(d);
    if (*count)
        qsort(*steps, (size_t)*count, sizeof **steps, by_newest);
    return error->status;
}

// Removes what is older than the newest two up to `steps`, and what is newer: damaged ones that were passed over.
static void prune(const char *folder, int64_t now)
{
    dit_error ignored = {0};
    char path[MAX_PATH];
    int64_t *steps;
    int count, kept = 0;
    list(folder, &steps, &count, &ignored);
    for (int i = 0; i < count; i++)
        if ((steps[i] > now || kept++ >= KEPT) && !path_of(path, folder, steps[i], &ignored))
            unlink(path);
    free(steps);
}

dit_status dit_checkpoint_save(const char *folder, const dit_optimizer *o, const char *identity, dit_error *error)
{
    char path[MAX_PATH], taken[32];
    int states = 3 + o->options.ema_count;
    size_t count = (size_t)o->count * (size_t)states, n = 0;
    dit_safetensors_item *items = calloc(count + 1, sizeof *items);
    char(*names)[MAX_NAME] = calloc(count + 1, MAX_NAME);
    snprintf(taken, sizeof taken, "%" PRId64, o->steps);
    const dit_text_pair metadata[] = {{"steps", taken}, {"run", identity}};
    if (!items || !names)
        dit_fail(error, DIT_NO_MEMORY, "%s: no memory to write a checkpoint", folder);
    for (int i = 0; !error->status && i < o->count; i++)
        for (int k = 0; k < states; k++, n++) {
            snprintf(names[n], MAX_NAME, "%s/%s", kinds[k], o->items[i].name);
            items[n] = (dit_safetensors_item){names[n], dtype_of(o, k), o->items[i].shape, state_of(&o->items[i], k)};
        }
    if (!error->status && !path_of(path, folder, o->steps, error) &&
        !dit_safetensors_write(path, items, n, metadata, 2, NULL, NULL, error))
        prune(folder, o->steps);
    free(items);
    free(names);
    return error->status;
}

static dit_status load_item(dit_safetensors *file, const dit_optimizer *o, dit_optimized *item, int kind,
                            dit_error *error)
{
    char name[MAX_NAME], found[160], needed[160];
    dit_array array;
    snprintf(name, sizeof name, "%s/%s", kinds[kind], item->name);
    if (dit_safetensors_get(file, name, &array, error))
        return error->status;
    if (array.dtype != dtype_of(o, kind) || !dit_shape_equal(&array.shape, &item->shape))
        return dit_fail(error, DIT_BAD_FILE, "%s: %s is %s %s, the model needs %s %s", dit_safetensors_path(file), name,
                        dit_dtype_name(array.dtype), dit_shape_text(&array.shape, found),
                        dit_dtype_name(dtype_of(o, kind)), dit_shape_text(&item->shape, needed));
    memcpy(state_of(item, kind), array.data, dit_array_bytes(&array));
    dit_safetensors_release(file, &array);
    return DIT_OK;
}

// A checkpoint that is whole says how many steps its name says, and has every tensor.
static dit_status load_file(dit_safetensors *file, dit_optimizer *o, int64_t steps, dit_error *error)
{
    const char *path = dit_safetensors_path(file), *taken = dit_safetensors_metadata(file, "steps");
    int states = 3 + o->options.ema_count;
    char expected[32];
    snprintf(expected, sizeof expected, "%" PRId64, steps);
    if (!taken || strcmp(taken, expected) || steps < 0 || steps > MOST_STEPS)
        return dit_fail(error, DIT_BAD_FILE, "%s: is no checkpoint after %s steps", path, expected);
    if (dit_safetensors_count(file) != (size_t)o->count * (size_t)states)
        return dit_fail(error, DIT_BAD_FILE, "%s: has %zu tensors, this recipe %zu", path, dit_safetensors_count(file),
                        (size_t)o->count * (size_t)states);
    for (int i = 0; i < o->count; i++)
        for (int k = 0; k < states; k++)
            if (load_item(file, o, &o->items[i], k, error))
                return error->status;
    o->steps = steps;
    return DIT_OK;
}

// One checkpoint. What is wrong with the file itself goes to `damage`, all else to `error`.
static void load(const char *path, int64_t steps, dit_optimizer *o, const char *identity, dit_error *damage,
                 dit_error *error)
{
    dit_safetensors *file = NULL;
    if (!dit_safetensors_open(&file, path, damage)) {
        const char *saved = dit_safetensors_metadata(file, "run");
        if (!saved)
            dit_fail(damage, DIT_BAD_FILE, "%s: is no checkpoint of a training run", path);
        else if (!dit_identity_check(path, saved, identity, error))
            load_file(file, o, steps, damage);
    }
    if (damage->status && damage->status != DIT_BAD_FILE)
        dit_fail(error, damage->status, "%s", damage->message);
    dit_safetensors_close(file);
}

dit_status dit_checkpoint_load(const char *folder, dit_optimizer *o, const char *identity, bool *found,
                               dit_error *damage, dit_error *error)
{
    char path[MAX_PATH];
    int64_t *steps;
    int count;
    *found = false;
    list(folder, &steps, &count, error);
    for (int i = 0; i < count && !*found && !error->status; i++) {
        dit_error own = {0};
        if (path_of(path, folder, steps[i], error))
            break;
        load(path, steps[i], o, identity, &own, error);
        *found = !own.status && !error->status;
        if (own.status)
            dit_fail(damage, own.status, "%s", own.message);
    }
    if (!error->status && !*found && damage->status)
        dit_fail(error, DIT_BAD_FILE, "%s; no whole checkpoint is left: remove it to begin anew", damage->message);
    free(steps);
    return error->status;
}
