// train/checkpoint.c: saving, pruning, finding and loading checkpoints.
#include "train/checkpoint.h"
#include "base/arena.h"
#include "io/safetensors.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEPT = 2, MAX_PATH = 4096, MAX_NAME = 512 };
static const char *const kinds[] = {"weight", "m", "v", "ema0", "ema1", "ema2", "ema3"};

static float *state_of(const dit_optimized *item, int kind)
{
    return kind == 0 ? item->weight : kind == 1 ? item->m : kind == 2 ? item->v : item->ema[kind - 3];
}

static dit_status path_of(char path[MAX_PATH], const char *folder, int64_t steps, dit_error *error)
{
    if (snprintf(path, MAX_PATH, "%s/checkpoint-%08lld.safetensors", folder, (long long)steps) >= MAX_PATH)
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
        long long number;
        int end = 0;
        if (sscanf(e->d_name, "checkpoint-%8lld.safetensors%n", &number, &end) != 1 || end == 0 || e->d_name[end])
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

static void prune(const char *folder)
{
    dit_error ignored = {0};
    char path[MAX_PATH];
    int64_t *steps;
    int count;
    list(folder, &steps, &count, &ignored);
    for (int i = KEPT; i < count; i++)
        if (!path_of(path, folder, steps[i], &ignored))
            unlink(path);
    free(steps);
}

dit_status dit_checkpoint_save(const char *folder, const dit_optimizer *o, const char *run, dit_error *error)
{
    char path[MAX_PATH], taken[32];
    int states = 3 + o->options.ema_count;
    size_t count = (size_t)o->count * (size_t)states, n = 0;
    dit_safetensors_item *items = calloc(count + 1, sizeof *items);
    char(*names)[MAX_NAME] = calloc(count + 1, MAX_NAME);
    snprintf(taken, sizeof taken, "%lld", (long long)o->steps);
    const dit_text_pair metadata[] = {{"steps", taken}, {"run", run}};
    if (!items || !names)
        dit_fail(error, DIT_NO_MEMORY, "%s: no memory to write a checkpoint", folder);
    for (int i = 0; !error->status && i < o->count; i++)
        for (int k = 0; k < states; k++, n++) {
            snprintf(names[n], MAX_NAME, "%s/%s", kinds[k], o->items[i].name);
            items[n] = (dit_safetensors_item){names[n], DIT_F32, o->items[i].shape, state_of(&o->items[i], k)};
        }
    if (!error->status && !path_of(path, folder, o->steps, error) &&
        !dit_safetensors_write(path, items, n, metadata, 2, NULL, NULL, error))
        prune(folder);
    free(items);
    free(names);
    return error->status;
}

static dit_status load_item(dit_safetensors *file, dit_optimized *item, int kind, dit_error *error)
{
    char name[MAX_NAME], found[160], needed[160];
    dit_array array;
    snprintf(name, sizeof name, "%s/%s", kinds[kind], item->name);
    if (dit_safetensors_get(file, name, &array, error))
        return error->status;
    if (array.dtype != DIT_F32 || !dit_shape_equal(&array.shape, &item->shape))
        return dit_fail(error, DIT_BAD_FILE, "%s: %s is %s %s, the model needs f32 %s", dit_safetensors_path(file),
                        name, dit_dtype_name(array.dtype), dit_shape_text(&array.shape, found),
                        dit_shape_text(&item->shape, needed));
    memcpy(state_of(item, kind), array.data, dit_array_bytes(&array));
    dit_safetensors_release(file, &array);
    return DIT_OK;
}

static dit_status load_file(dit_safetensors *file, dit_optimizer *o, const char *run, dit_error *error)
{
    const char *path = dit_safetensors_path(file), *steps = dit_safetensors_metadata(file, "steps");
    const char *saved_run = dit_safetensors_metadata(file, "run");
    int states = 3 + o->options.ema_count;
    if (!steps || !saved_run || sscanf(steps, "%ld", &o->steps) != 1 || o->steps < 0)
        return dit_fail(error, DIT_BAD_FILE, "%s: no checkpoint of a training run", path);
    if (strcmp(saved_run, run))
        return dit_fail(error, DIT_BAD_FILE,
                        "%s: belongs to another recipe (%.120s; this one is %.120s); give another --out", path,
                        saved_run, run);
    if (dit_safetensors_count(file) != (size_t)o->count * (size_t)states)
        return dit_fail(error, DIT_BAD_FILE, "%s: has %zu tensors, this recipe %zu", path, dit_safetensors_count(file),
                        (size_t)o->count * (size_t)states);
    for (int i = 0; i < o->count; i++)
        for (int k = 0; k < states; k++)
            if (load_item(file, &o->items[i], k, error))
                return error->status;
    return DIT_OK;
}

dit_status dit_checkpoint_load(const char *folder, dit_optimizer *o, const char *run, bool *found, dit_error *error)
{
    char path[MAX_PATH];
    int64_t *steps;
    int count;
    *found = false;
    if (list(folder, &steps, &count, error) || !count)
        goto done;
    dit_safetensors *file = NULL;
    if (!path_of(path, folder, steps[0], error) && !dit_safetensors_open(&file, path, error) &&
        !load_file(file, o, run, error))
        *found = true;
    dit_safetensors_close(file);
done:
    free(steps);
    return error->status;
}
