// train/export.c: the files of a trained model.
#include "train/export.h"
#include "io/atomic_file.h"
#include "io/safetensors.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

dit_status dit_make_folder(const char *path, dit_error *error)
{
    char part[4096];
    if ((size_t)snprintf(part, sizeof part, "%s", path) >= sizeof part)
        return dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", path);
    for (char *slash = part + 1;; slash++) {
        if (*slash && *slash != '/')
            continue;
        char kept = *slash;
        *slash = 0;
        struct stat info;
        if (mkdir(part, 0777) && errno != EEXIST)
            return dit_fail_errno(error, errno, "%s", part);
        if (stat(part, &info) || !S_ISDIR(info.st_mode))
            return dit_fail(error, DIT_NO_FILE, "%s: is not a folder", part);
        if (!kept)
            return DIT_OK;
        *slash = kept;
    }
}

static dit_status save_text(const char *folder, const char *name, const char *text, dit_error *error)
{
    char path[4096];
    if (!text)
        return dit_fail(error, DIT_NO_MEMORY, "%s/%s: no memory to write it", folder, name);
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        return dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", folder);
    return dit_atomic_file_save(path, text, strlen(text), error);
}

// Weights converted one tensor at a time while they are written.
struct weights {
    const dit_optimizer *optimizer;
    int average;
    dit_dtype dtype;
    void *buffer;
    size_t room;
};

static dit_status produce(void *context, size_t index, const void **data, dit_error *error)
{
    struct weights *w = context;
    const dit_optimized *item = &w->optimizer->items[index];
    const float *values = w->average < 0 ? item->weight : item->ema[w->average];
    size_t bytes = (size_t)item->count * dit_dtype_size(w->dtype);
    *data = values;
    if (w->dtype == DIT_F32)
        return DIT_OK;
    if (bytes > w->room) {
        void *larger = realloc(w->buffer, bytes);
        if (!larger)
            return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to convert the weight", item->name);
        w->buffer = larger;
        w->room = bytes;
    }
    for (int64_t i = 0; i < item->count; i++)
        dit_element_set(w->dtype, w->buffer, i, (double)values[i]);
    *data = w->buffer;
    return DIT_OK;
}

static dit_status save_weights(const char *folder, const dit_recipe *r, const dit_optimizer *o, dit_error *error)
{
    static const dit_text_pair format = {"format", "pt"};
    char path[4096];
    struct weights w = {.optimizer = o, .average = r->samples.ema, .dtype = r->samples.dtype};
    dit_safetensors_item *items = calloc((size_t)o->count + 1, sizeof *items);
    if (!items)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to list the weights", folder);
    for (int i = 0; i < o->count; i++)
        items[i] = (dit_safetensors_item){o->items[i].name, w.dtype, o->items[i].shape, NULL};
    snprintf(path, sizeof path, "%s/diffusion_pytorch_model.safetensors", folder);
    dit_safetensors_write(path, items, (size_t)o->count, &format, 1, produce, &w, error);
    free(items);
    free(w.buffer);
    return error->status;
}

// One network's folder.
static dit_status save_network(const char *folder, const dit_recipe *recipe, const char *config_text,
                               const dit_optimizer *optimizer, dit_error *error)
{
    if (!dit_make_folder(folder, error) && !save_text(folder, "config.json", config_text, error))
        save_weights(folder, recipe, optimizer, error);
    return error->status;
}

dit_status dit_export(const char *folder, const dit_recipe *recipe, const dit_blueprint *blueprint,
                      const char *config_text, const dit_optimizer *optimizer, dit_error *error)
{
    char part[4096];
    if (strlen(folder) > sizeof part - 100)
        return dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", folder);
    if (!blueprint->pipeline)
        return save_network(folder, recipe, config_text, optimizer, error);
    char *index = dit_blueprint_index(recipe, blueprint), *scheduler = dit_blueprint_scheduler(recipe);
    snprintf(part, sizeof part, "%s/scheduler", folder);
    if (!dit_make_folder(part, error))
        save_text(folder, "scheduler/scheduler_config.json", scheduler, error);
    snprintf(part, sizeof part, "%s/transformer", folder);
    if (!error->status && !save_network(part, recipe, config_text, optimizer, error))
        save_text(folder, "model_index.json", index, error);
    free(index);
    free(scheduler);
    return error->status;
}
