// pipelines/open.c: folders and single files as models.
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

// "FluxPipeline, ...": for errors.
static const char *class_names(char *text, size_t size)
{
    size_t n = 0;
    text[0] = 0;
    for (int i = 0; i < CLASSES && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%s", i ? ", " : "", classes[i]->name);
    return text;
}

// What model_index.json says: the class, and how the model is drawn where it says that.
static dit_status read_index(dit_model *m, dit_json index, dit_error *error)
{
    static const char *const predictions[] = {"velocity", "sample", NULL};
    char known[400];
    const char *name = dit_json_text(index, "_class_name", error);
    m->predicts_sample = dit_json_choice_or(index, "_dit_flow_prediction", predictions, 0, error) == 1;
    m->default_steps = (int)dit_json_int_or(index, "_dit_steps", 0, 1, 10000, error);
    m->default_guidance_scale = dit_json_number_or(index, "_dit_guidance_scale", -1, 0, 1000, error);
    if (!error->status && !(m->class = find_class(name)))
        dit_json_fail(index, "_class_name", error, "is %.80s; the pipelines that open are %s", name,
                      class_names(known, sizeof known));
    return error->status;
}

static bool takes(const dit_pipeline_class *class, const dit_component *transformer)
{
    for (const char *const *name = class->parts[0].classes; *name; name++)
        if (!strcmp(*name, transformer->class->name))
            return !class->takes_transformer || class->takes_transformer(dit_json_root(transformer->json));
    return false;
}

// Which class a single file's transformer belongs to: the folder's where that takes it, else the first one that does.
static dit_status choose_class(dit_model *m, dit_error *error)
{
    enum { MOST = 64 };
    const char *names[MOST + 1];
    int count = 0;
    dit_source source = {0};
    dit_component transformer = {0};
    for (int i = 0; i < CLASSES; i++)
        for (const char *const *name = classes[i]->parts[0].classes; *name && count < MOST; name++)
            names[count++] = *name;
    names[count] = NULL;
    if (dit_sources_find(m->sources, "transformer", names, false, &source, error))
        goto done;
    const dit_component_options options = {
        .dtype = DIT_F32, .classes = names, .prefixes = source.prefixes, .known_path = source.known};
    if (dit_component_describe_file(&transformer, source.path, &options, error)) {
        if (error->status == DIT_UNSUPPORTED) {
            *error = (dit_error){0};
            dit_fail(error, DIT_UNSUPPORTED,
                     "%s: holds no transformer under names that are known here; `dit info` says what it holds, and "
                     "--part NAME=FILE puts another part in the place of a folder's",
                     source.path);
        }
        goto done;
    }
    if (m->class && takes(m->class, &transformer))
        goto done;
    m->class = NULL;
    for (int i = 0; i < CLASSES && !m->class; i++)
        if (takes(classes[i], &transformer))
            m->class = classes[i];
    if (!m->class)
        dit_fail(error, DIT_UNSUPPORTED, "%s: no pipeline draws with this %s", source.path, transformer.class->name);
done:
    dit_component_close(&transformer);
    dit_source_free(&source);
    return error->status;
}

// Whether the transformer, which comes from elsewhere, is of another published release than the folder's: FLUX.1 dev's
// with a folder of schnell is drawn with by dev's scheduler.
static bool is_of_another_release(const dit_model *m)
{
    dit_json_file *config = NULL;
    dit_error ignored = {0};
    const char *path = m->parts[0].source.known;
    const char *own = path && !dit_json_open(&config, path, 0, &ignored)
                          ? dit_published_find(m->class->name, dit_json_root(config).value).scheduler
                          : NULL;
    dit_json_close(config);
    return own && m->published.scheduler && own != m->published.scheduler;
}

static dit_status open_scheduler(dit_model *m, dit_error *error)
{
    const bool other = is_of_another_release(m);
    if (dit_sources_scheduler(m->sources, m->published.scheduler, other, &m->scheduler, error) || m->scheduler)
        return error->status;
    return dit_fail(error, DIT_NO_FILE,
                    "%s: its scheduler is not known; give --part scheduler=FILE, or --base with a folder of %s",
                    m->folder, m->class->name);
}

static dit_status open_model(dit_model *m, const dit_model_options *options, dit_error *error)
{
    char known[400];
    m->keep_parts = true;
    m->default_guidance_scale = -1;
    if (options && options->variant && !(m->variant = strdup(options->variant)))
        return dit_fail(error, DIT_NO_MEMORY, "--variant: no memory for its name");
    m->dtype = DIT_F32;
    if (options && options->dtype &&
        (!dit_dtype_from_name(options->dtype, &m->dtype) || !dit_dtype_is_float(m->dtype) || m->dtype == DIT_F64))
        return dit_fail(error, DIT_BAD_ARGUMENT, "--dtype: %.40s; a transformer computes in f32, bf16 or f16",
                        options->dtype);
    if (dit_sources_open(&m->sources, m->folder, options, error))
        return error->status;
    dit_json_file *index = dit_sources_index(m->sources);
    const char *pipeline = dit_sources_pipeline(m->sources);
    if (index && read_index(m, dit_json_root(index), error))
        return error->status;
    if (pipeline && !(m->class = find_class(pipeline)))
        return dit_fail(error, DIT_BAD_ARGUMENT, "--pipeline: %.80s; those that open are %s", pipeline,
                        class_names(known, sizeof known));
    if (!pipeline && dit_sources_is_file(m->sources) && choose_class(m, error))
        return error->status;
    if (dit_model_find_parts(m, error) || dit_model_open_parts(m, error) || open_scheduler(m, error))
        return error->status;
    return m->class->open ? m->class->open(m, error) : DIT_OK;
}

dit_status dit_model_open_with(const char *path, const dit_model_options *options, dit_model **model, dit_error *error)
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
        open_model(*model, options, e);
    if (e->status) {
        dit_model_close(*model);
        *model = NULL;
    }
    return e->status;
}

dit_status dit_model_open(const char *path, dit_model **model, dit_error *error)
{
    return dit_model_open_with(path, NULL, model, error);
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
    dit_sources_close(m->sources);
    dit_model_free_loras(m);
    free(m->variant);
    free(m->folder);
    free(m);
}
