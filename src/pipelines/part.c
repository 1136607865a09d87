// pipelines/part.c: the networks and tokenizers of a model's folder: opened, checked, and released when they are done.
#include "pipelines/pipeline.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static dit_status part_path(const dit_model *m, const char *name, const char *file, char path[4096], dit_error *error)
{
    if (snprintf(path, 4096, "%s/%s%s%s", m->folder, name, file ? "/" : "", file ? file : "") >= 4096)
        return dit_fail(error, DIT_NO_FILE, "%.100s...: the path is too long", m->folder);
    return DIT_OK;
}

// Whether the folder has the part: as model_index.json says ([null, null]: no), or else whether its config is there.
static bool is_there(const dit_model *m, const dit_part_kind *kind)
{
    char path[4096];
    dit_error ignored = {0};
    const json_t *entry = json_object_get(dit_json_root(m->index).value, kind->name);
    if (json_is_array(entry))
        return !json_is_null(json_array_get(entry, 0));
    return !kind->optional || (!part_path(m, kind->name, "config.json", path, &ignored) && access(path, F_OK) == 0);
}

static dit_status open_part(dit_model *m, dit_part *part, dit_error *error)
{
    char path[4096];
    if (part_path(m, part->kind->name, NULL, path, error))
        return error->status;
    part->open = true; // even half opened it is to be closed
    if (dit_component_open(&part->component, path, DIT_F32, error))
        return error->status;
    part->component.memory = m->memory;
    for (const char *const *class = part->kind->classes; *class; class ++)
        if (!strcmp(*class, part->component.class->name))
            return dit_model_apply_loras(m, part, error);
    return dit_fail(error, DIT_BAD_FILE, "%s: %s takes a %s here, this is a %s", path, m->class->name,
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
    for (const dit_part_kind *kind = m->class->parts; kind->name && !error->status; kind++) {
        dit_part *part = &m->parts[m->part_count++];
        *part = (dit_part){.kind = kind, .there = is_there(m, kind)};
        if (part->there)
            open_part(m, part, error);
    }
    return error->status;
}

void dit_model_close_parts(dit_model *m)
{
    for (int i = 0; i < m->part_count; i++)
        close_part(m, &m->parts[i]);
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
    return part && part->there;
}

dit_component *dit_model_part(dit_model *m, const char *name, dit_error *error)
{
    dit_part *part = find(m, name);
    if (!part || !part->there) {
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

dit_tokenizer *dit_model_tokenizer(dit_model *m, const char *name, dit_error *error)
{
    char path[4096];
    for (int i = 0; i < DIT_MOST_TOKENIZERS; i++) {
        if (m->tokenizers[i].tokenizer && strcmp(m->tokenizers[i].name, name) != 0)
            continue;
        if (!m->tokenizers[i].tokenizer) {
            snprintf(m->tokenizers[i].name, sizeof m->tokenizers[i].name, "%s", name);
            if (!part_path(m, name, NULL, path, error))
                dit_tokenizer_open(&m->tokenizers[i].tokenizer, path, error);
        }
        return m->tokenizers[i].tokenizer;
    }
    dit_fail(error, DIT_UNSUPPORTED, "%s: more than %d tokenizers", m->folder, DIT_MOST_TOKENIZERS);
    return NULL;
}
