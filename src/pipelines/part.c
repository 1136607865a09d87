// pipelines/part.c: the networks and tokenizers of a model: found, opened, checked, and released when they are done.
#include "pipelines/pipeline.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool dit_tokenizer_of(const char *part, char name[32])
{
    static const char start[] = "text_encoder";
    return !strncmp(part, start, sizeof start - 1) && snprintf(name, 32, "tokenizer%s", part + sizeof start - 1) < 32;
}

// ---- Finding

static bool is_part(const dit_model *m, const char *name)
{
    char tokenizer[32];
    bool known = !strcmp(name, "scheduler") || !strcmp(name, "tokenizer");
    for (const dit_part_kind *kind = m->class->parts; kind->name && !known; kind++)
        known = !strcmp(kind->name, name) || (dit_tokenizer_of(kind->name, tokenizer) && !strcmp(tokenizer, name));
    return known;
}

static dit_status check_given(const dit_model *m, dit_error *error)
{
    const char *name;
    char known[200] = "";
    for (const dit_part_kind *kind = m->class->parts; kind->name; kind++)
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s, ", kind->name);
    for (int i = 0; (name = dit_sources_given(m->sources, i)); i++)
        if (!is_part(m, name))
            return dit_fail(error, DIT_BAD_ARGUMENT,
                            "--part: a %s has no %.40s; it has %stheir tokenizers, and a scheduler", m->class->name,
                            name, known);
    return DIT_OK;
}

static void add_missing(char *missing, size_t size, const char *name)
{
    size_t n = strlen(missing);
    snprintf(missing + n, size - n, "%s%s", n ? ", " : "", name);
}

// Adds what the part at hand lacks where there is no folder to take it from: itself, and its tokenizer.
static void list_missing(const dit_model *m, const dit_part *part, char *missing, size_t size)
{
    char tokenizer[32];
    bool lacks = !part->source.path && !part->kind->optional;
    if (lacks)
        add_missing(missing, size, part->kind->name);
    if ((lacks || part->source.path) && dit_tokenizer_of(part->kind->name, tokenizer) &&
        !dit_sources_has_tokenizer(m->sources, tokenizer, &part->source))
        add_missing(missing, size, tokenizer);
}

dit_status dit_model_find_parts(dit_model *m, dit_error *error)
{
    char missing[300] = "";
    if (check_given(m, error))
        return error->status;
    for (const dit_part_kind *kind = m->class->parts; kind->name; kind++) {
        dit_part *part = &m->parts[m->part_count++];
        *part = (dit_part){.kind = kind};
        if (dit_sources_find(m->sources, kind->name, kind->classes, kind->optional, &part->source, error))
            return error->status;
        if (!dit_sources_index(m->sources))
            list_missing(m, part, missing, sizeof missing);
        else if (!part->source.path && !kind->optional)
            return dit_fail(error, DIT_BAD_FILE,
                            "%s/model_index.json: \"%s\" is null; a %s needs it: give it as --part %s=PATH", m->folder,
                            kind->name, m->class->name, kind->name);
    }
    return *missing ? dit_fail(error, DIT_NO_FILE,
                               "%s: holds no %s; give each as --part %.*s=PATH, or --base with a folder of %s",
                               m->folder, missing, (int)strcspn(missing, ","), missing, m->class->name)
                    : DIT_OK;
}

// ---- Opening

static dit_status open_part(dit_model *m, dit_part *part, dit_error *error)
{
    const bool transformer = part == &m->parts[0];
    const dit_component_options options = {.dtype = transformer ? m->dtype : DIT_F32,
                                           .bounded = m->memory > 0,
                                           .variant = m->variant,
                                           .classes = part->kind->classes,
                                           .prefixes = part->source.prefixes,
                                           .known_path = part->source.known,
                                           .known_text =
                                               strcmp(part->kind->name, "vae") ? NULL : m->published.autoencoder};
    part->open = true; // even half opened it is to be closed
    if (dit_component_open_with(&part->component, part->source.path, &options, error))
        return error->status;
    part->component.memory = m->memory;
    if (transformer)
        m->published = dit_published_find(m->class->name, dit_json_root(part->component.json).value);
    for (const char *const *class = part->kind->classes; *class; class ++)
        if (!strcmp(*class, part->component.class->name))
            return dit_model_apply_loras(m, part, error);
    return dit_fail(error, DIT_BAD_FILE, "%s: %s takes a %s here, this is a %s", part->source.path, m->class->name,
                    part->kind->classes[0], part->component.class->name);
}

static void close_part(dit_model *m, dit_part *part)
{
    if (part == &m->parts[0])
        for (int i = 0; i < DIT_MOST_PLANS; i++) {
            dit_plan_free(m->network[i].plan);
            m->network[i] = (dit_network){0};
        }
    if (part->open)
        dit_component_close(&part->component);
    part->open = false;
}

dit_status dit_model_open_parts(dit_model *m, dit_error *error)
{
    char path[4096];
    bool found = !m->variant;
    for (int i = 0; i < m->part_count && !error->status; i++)
        if (m->parts[i].source.path) {
            found = found || dit_tensor_file_variant(m->parts[i].source.path, m->variant, path, sizeof path);
            open_part(m, &m->parts[i], error);
        }
    if (!error->status && !found)
        dit_fail(error, DIT_NO_FILE, "--variant: no part of %s has weights of a variant %.60s", m->folder, m->variant);
    return error->status;
}

dit_status dit_model_reopen_parts(dit_model *m, dit_error *error)
{
    for (int i = 0; i < m->part_count; i++)
        close_part(m, &m->parts[i]);
    return dit_model_open_parts(m, error);
}

void dit_model_close_parts(dit_model *m)
{
    for (int i = 0; i < m->part_count; i++)
        close_part(m, &m->parts[i]);
    for (int i = 0; i < m->part_count; i++)
        dit_source_free(&m->parts[i].source);
    for (int i = 0; i < DIT_MOST_TOKENIZERS; i++)
        dit_tokenizer_close(m->tokenizers[i].tokenizer);
}

static dit_part *find(const dit_model *m, const char *name)
{
    for (int i = 0; i < m->part_count; i++)
        if (!strcmp(m->parts[i].kind->name, name))
            return (dit_part *)&m->parts[i];
    return NULL;
}

bool dit_model_has_part(const dit_model *m, const char *name)
{
    const dit_part *part = find(m, name);
    return part && part->source.path;
}

dit_component *dit_model_part(dit_model *m, const char *name, dit_error *error)
{
    dit_part *part = find(m, name);
    if (!part || !part->source.path) {
        dit_fail(error, DIT_BAD_FILE, "%s: the model has no %s", m->folder, name);
        return NULL;
    }
    if (!part->open && open_part(m, part, error))
        return NULL;
    return &part->component;
}

const void *dit_model_transformer_config(const dit_model *m)
{
    return m->parts[0].component.config;
}

double dit_model_part_number(dit_model *m, const char *name, const char *key, double otherwise, dit_error *error)
{
    const dit_component *c = dit_model_part(m, name, error);
    if (!c)
        return otherwise;
    json_t *value = json_object_get(dit_json_root(c->json).value, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

dit_status dit_model_check_numbers(const dit_model *m, const char *name, const dit_array *values, dit_error *error)
{
    const float *x = values->data;
    const int64_t count = values->dtype == DIT_F32 ? dit_shape_count(&values->shape) : 0;
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(x[i]))
            return dit_fail(error, DIT_BAD_NUMBER, "%s: it gave a value that is no number; its weights may be damaged",
                            find(m, name)->source.path);
    return DIT_OK;
}

void dit_model_part_done(dit_model *m, const char *name)
{
    dit_part *part = find(m, name);
    if (part && !m->keep_parts)
        close_part(m, part);
}

void dit_model_keep_parts(dit_model *m, bool keep)
{
    m->keep_parts = keep;
}

// Opens a tokenizer, which is its text encoder's where it has a file of its own nowhere.
static dit_status open_tokenizer(const dit_model *m, const char *name, dit_tokenizer **tokenizer, dit_error *error)
{
    char of[32];
    const dit_source *encoder = NULL;
    const char *class = NULL;
    for (int i = 0; i < m->part_count; i++)
        if (dit_tokenizer_of(m->parts[i].kind->name, of) && !strcmp(of, name)) {
            encoder = &m->parts[i].source;
            class = m->parts[i].kind->classes[0];
        }
    if (dit_sources_tokenizer(m->sources, name, encoder, class, tokenizer, error) || *tokenizer)
        return error->status;
    return dit_fail(error, DIT_NO_FILE, "%s: holds no %s; give one as --part %s=PATH", m->folder, name, name);
}

dit_tokenizer *dit_model_tokenizer(dit_model *m, const char *name, dit_error *error)
{
    for (int i = 0; i < DIT_MOST_TOKENIZERS; i++) {
        if (m->tokenizers[i].tokenizer && strcmp(m->tokenizers[i].name, name) != 0)
            continue;
        if (!m->tokenizers[i].tokenizer) {
            snprintf(m->tokenizers[i].name, sizeof m->tokenizers[i].name, "%s", name);
            open_tokenizer(m, name, &m->tokenizers[i].tokenizer, error);
        }
        return m->tokenizers[i].tokenizer;
    }
    dit_fail(error, DIT_UNSUPPORTED, "%s: more than %d tokenizers", m->folder, DIT_MOST_TOKENIZERS);
    return NULL;
}
