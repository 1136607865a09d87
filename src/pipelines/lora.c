// pipelines/lora.c: low-rank adapters of a model: applied to its open parts, and to others when they open.
#include "models/lora.h"
#include "pipelines/pipeline.h"
#include <stdlib.h>
#include <string.h>

// Which of a file's adapters are for a part; false for parts that have none.
static bool lora_part(const char *name, dit_lora_part *part)
{
    static const char *const names[] = {"transformer", "text_encoder", "text_encoder_2", "text_encoder_3"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(name, names[i])) {
            *part = (dit_lora_part)i;
            return true;
        }
    return false;
}

static dit_status apply(const dit_model_lora *file, dit_part *part, int *applied, dit_error *error)
{
    const dit_component *c = &part->component;
    dit_lora lora = {file->path, .strength = file->strength, .keep_mapped = c->memory > 0};
    int third = 0;
    *applied = 0;
    if (!lora_part(part->kind->name, &lora.part))
        return DIT_OK;
    if (dit_lora_apply(c->weights, c->class->name, &lora, applied, error))
        return error->status;
    // T5 is the third text encoder in kohya's names, also where FLUX.1 has no more than two.
    if (lora.part == DIT_LORA_TEXT_ENCODER_2 && !strcmp(c->class->name, "T5EncoderModel")) {
        lora.part = DIT_LORA_TEXT_ENCODER_3;
        dit_lora_apply(c->weights, c->class->name, &lora, &third, error);
    }
    *applied += third;
    return error->status;
}

dit_status dit_model_apply_loras(dit_model *m, dit_part *part, dit_error *error)
{
    int applied;
    for (int i = 0; i < m->lora_count; i++)
        if (apply(&m->loras[i], part, &applied, error))
            return error->status;
    return DIT_OK;
}

dit_status dit_model_add_lora(dit_model *m, const char *path, double strength, dit_error *error)
{
    dit_error own = {0};
    int total = 0;
    if (m->lora_count == DIT_MOST_LORAS)
        return dit_fail(error, DIT_UNSUPPORTED, "%s: is one too many; a model takes %d files of adapters", path,
                        DIT_MOST_LORAS);
    dit_model_lora lora = {strdup(path), strength};
    if (!lora.path)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory for its name", path);
    for (int i = 0; i < m->part_count && !own.status; i++) {
        int applied = 0;
        if (m->parts[i].open && m->parts[i].component.weights)
            apply(&lora, &m->parts[i], &applied, &own);
        total += applied;
    }
    if (!own.status && !total)
        dit_fail(&own, DIT_BAD_FILE, "%s: holds no adapter for this model", path);
    if (own.status) {
        free(lora.path);
        return dit_fail(error, own.status, "%s", own.message);
    }
    m->loras[m->lora_count++] = lora;
    return DIT_OK;
}

static void drop(dit_model *m, int kept)
{
    while (m->lora_count > kept)
        free(m->loras[--m->lora_count].path);
}

dit_status dit_model_keep_loras(dit_model *m, int count, dit_error *error)
{
    drop(m, count);
    return dit_model_reopen_parts(m, error);
}

void dit_model_free_loras(dit_model *m)
{
    drop(m, 0);
}
