// pipelines/open.c: folders as models.
#include "base/memory.h"
#include "pipelines/pipeline.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIPELINE(name) extern const dit_pipeline_class dit_pipeline_class_##name;
#include "pipelines/pipelines.def"

static const dit_pipeline_class *const classes[] = {
#define PIPELINE(name) &dit_pipeline_class_##name,
#include "pipelines/pipelines.def"
};
enum { CLASSES = sizeof classes / sizeof *classes };

static const dit_pipeline_class *find_class(const char *name)
{
    for (int i = 0; i < CLASSES; i++) {
        if (!strcmp(classes[i]->name, name))
            return classes[i];
        for (const char *const *older = classes[i]->older_names; older && *older; older++)
            if (!strcmp(*older, name))
                return classes[i];
    }
    return NULL;
}

static dit_status refuse_class(dit_json index, const char *name, dit_error *error)
{
    char known[400] = "";
    size_t n = 0;
    for (int i = 0; i < CLASSES && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", classes[i]->name);
    return dit_json_fail(index, "_class_name", error, "is %.80s; the pipelines that open are %s", name, known);
}

static dit_status join(char *path, size_t size, const char *folder, const char *name, dit_error *error)
{
    if ((size_t)snprintf(path, size, "%s/%s", folder, name) >= size)
        return dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", folder);
    return DIT_OK;
}

static dit_status open_folder(dit_model *m, dit_error *error)
{
    char path[4096];
    if (join(path, sizeof path, m->folder, "model_index.json", error) || dit_json_open(&m->index, path, 0, error))
        return error->status;
    dit_json index = dit_json_root(m->index);
    static const char *const predictions[] = {"velocity", "sample", NULL};
    const char *name = dit_json_text(index, "_class_name", error);
    m->predicts_sample = dit_json_choice_or(index, "_dit_flow_prediction", predictions, 0, error) == 1;
    m->default_steps = (int)dit_json_int_or(index, "_dit_steps", 0, 1, 10000, error);
    m->default_guidance_scale = dit_json_number_or(index, "_dit_guidance_scale", -1, 0, 1000, error);
    m->keep_parts = true;
    if (!error->status && !(m->class = find_class(name)))
        refuse_class(index, name, error);
    if (error->status || join(path, sizeof path, m->folder, "scheduler/scheduler_config.json", error) ||
        dit_json_open(&m->scheduler, path, DIT_JSON_MINUS_INFINITY, error) || dit_model_open_parts(m, error))
        return error->status;
    return m->class->open ? m->class->open(m, error) : DIT_OK;
}

dit_status dit_model_open(const char *path, dit_model **model, dit_error *error)
{
    dit_error own = {0};
    dit_error *e = error ? error : &own;
    *model = calloc(1, sizeof **model);
    char default_path[4096];
    if (!path)
        path = dit_default_model(default_path, sizeof default_path);
    if (!*model || !((*model)->folder = strdup(path)))
        dit_fail(e, DIT_NO_MEMORY, "%s: no memory to open the model", path);
    else
        open_folder(*model, e);
    if (e->status) {
        dit_model_close(*model);
        *model = NULL;
    }
    return e->status;
}

void dit_model_set_memory(dit_model *m, size_t bytes)
{
    m->memory = bytes;
    for (int i = 0; i < m->part_count; i++)
        m->parts[i].component.memory = bytes;
}

size_t dit_peak_memory(void)
{
    return dit_memory_peak();
}

void dit_model_close(dit_model *m)
{
    if (!m)
        return;
    if (m->class && m->class->close)
        m->class->close(m);
    dit_model_close_parts(m);
    dit_json_close(m->scheduler);
    dit_json_close(m->index);
    dit_model_free_loras(m);
    free(m->folder);
    free(m);
}
