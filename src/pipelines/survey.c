// pipelines/survey.c: a picture's phases, planned and not run.
#include "pipelines/survey.h"
#include "base/memory.h"
#include "models/autoencoder.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_TURNS = 2 }; // of a network that are listed: with a prompt and without

static dit_status add_phase(dit_survey *s, const char *part, const dit_plan_figures *figures, dit_error *error)
{
    dit_phase *last = NULL;
    int turns = 0;
    for (int i = 0; i < s->count; i++)
        if (!strcmp(s->phase[i].part, part)) {
            last = &s->phase[i];
            turns++;
        }
    if (turns >= MOST_TURNS) { // a long prompt has many rows: the largest counts
        if (figures->least_memory > last->figures.least_memory)
            last->figures = *figures;
        return DIT_OK;
    }
    if (s->count == DIT_MOST_PHASES)
        return dit_fail(error, DIT_UNSUPPORTED, "%s: is one network too many to survey", part);
    dit_phase *phase = &s->phase[s->count++];
    *phase = (dit_phase){.figures = *figures};
    snprintf(phase->part, sizeof phase->part, "%s", part);
    return DIT_OK;
}

dit_status dit_survey_encoder(dit_model *m, const char *part, const dit_component *encoder, const dit_arrays *in,
                              const char *const *wanted, dit_arrays *out, dit_error *error)
{
    dit_plan_figures figures;
    const bool planned = !m->survey->names_only;
    if (dit_component_figures(encoder, DIT_FORWARD, in, wanted, out, planned ? &figures : NULL, error))
        return error->status;
    return planned ? add_phase(m->survey, part, &figures, error) : DIT_OK;
}

dit_status dit_survey_picture(dit_model *m, const dit_component *vae, const dit_array *pixels,
                              const dit_autoencoder_facts *facts, dit_array *latents, dit_error *error)
{
    dit_plan_figures figures;
    const int64_t height = pixels->shape.dim[2] / facts->ratio, width = pixels->shape.dim[3] / facts->ratio;
    const bool tiled = m->survey->names_only || m->memory; // the smallest plan does
    if (dit_array_alloc(latents, DIT_F32, DIT_SHAPE(1, facts->latent_channels, height, width), error) ||
        dit_autoencoder_figures(vae, DIT_ENCODE, &pixels->shape, tiled, &figures, error))
        return error->status;
    return m->survey->names_only ? DIT_OK : add_phase(m->survey, "vae", &figures, error);
}

// The transformer for one step: both halves of a guided picture, in one plan or two.
static dit_status survey_transformer(dit_model *m, const dit_job *job, const dit_conditions conditions,
                                     dit_error *error)
{
    dit_plan_figures first, second = {0};
    if (dit_network_figures(m, job, &conditions[0], &first, error) ||
        (job->guided && job->apart && dit_network_figures(m, job, &conditions[1], &second, error)))
        return error->status;
    first.arena_bytes += second.arena_bytes; // weights are shared
    first.least_memory += second.arena_bytes;
    first.flops += second.flops;
    m->survey->step_flops = first.flops;
    return add_phase(m->survey, m->parts[0].kind->name, &first, error);
}

// The decoder, whole; its least is that of small tiles. The picture's pixels are there beside the network's values.
static dit_status survey_decoder(dit_model *m, const dit_job *job, dit_error *error)
{
    const dit_component *vae = dit_model_part(m, "vae", error);
    const dit_shape latents = DIT_SHAPE(1, job->channels, job->height, job->width);
    const size_t pixels = (size_t)(job->picture_height * job->picture_width) * 3 * sizeof(float);
    const size_t output = (size_t)(job->output_height * job->output_width);
    dit_plan_figures whole, tile;
    size_t weights = 0;
    if (!vae || dit_autoencoder_figures(vae, DIT_DECODE, &latents, false, &whole, error) ||
        dit_autoencoder_figures(vae, DIT_DECODE, &latents, true, &tile, error))
        return error->status;
    for (int i = 0; i < dit_weights_count(vae->weights); i++)
        weights += dit_array_bytes(&dit_weights_at(vae->weights, i)->array);
    // Its own result, the copy that seams are blended in, and the picture of the output's size.
    size_t results = 2 * pixels + output * 3;
    if (job->output_height != job->picture_height || job->output_width != job->picture_width)
        results += output * 3 * sizeof(float);
    whole.arena_bytes += results;
    whole.least_memory = tile.arena_bytes + weights + results;
    return add_phase(m->survey, "vae", &whole, error);
}

static dit_status survey_phases(dit_model *m, const dit_request *request, dit_error *error)
{
    dit_job job;
    dit_conditions conditions = {0};
    dit_generator generator;
    dit_survey *s = m->survey;
    dit_generator_seed(&generator, 0);
    if (!dit_job_start(m, request, &job, error)) {
        s->width = job.output_width;
        s->height = job.output_height;
        s->steps = job.steps;
        s->guidance_scale = job.guidance_scale;
        if (!m->class->encode(m, &job, &generator, conditions, NULL, error) &&
            !survey_transformer(m, &job, conditions, error) && dit_model_has_part(m, "vae"))
            survey_decoder(m, &job, error);
    }
    dit_arrays_free(&conditions[0]);
    dit_arrays_free(&conditions[1]);
    dit_job_end(&job);
    return error->status;
}

// Bytes of a part's weights that opening it has read into memory: of small files, and what is not stored as it is used.
static size_t read_bytes(const dit_part *part)
{
    size_t bytes = 0;
    const dit_component *c = &part->component;
    for (int i = 0; part->open && i < dit_weights_count(c->weights); i++) {
        const dit_weight *w = dit_weights_at(c->weights, i);
        if (!dit_weights_is_mapped(c->weights, w))
            bytes += dit_array_bytes(&w->array);
    }
    return bytes;
}

static const dit_part *part_of(const dit_model *m, const char *name)
{
    for (int i = 0; i < m->part_count; i++)
        if (!strcmp(m->parts[i].kind->name, name))
            return &m->parts[i];
    return NULL;
}

enum { JOB_BYTES = 1 << 20 }; // plans, states and conditions of a job, which the figures leave out

// All parts are open until their turn is over.
static void add_up(dit_model *m, dit_survey *s)
{
    size_t waiting = 0, least = 0;
    for (int i = 0; i < m->part_count; i++)
        waiting += read_bytes(&m->parts[i]);
    const size_t resident = dit_memory_resident();
    s->base = resident > waiting ? resident - waiting : 0;
    for (int i = 0; i < s->count; i++) {
        dit_phase *phase = &s->phase[i];
        const dit_plan_figures *f = &phase->figures;
        const dit_part *part = part_of(m, phase->part);
        const size_t own = part ? read_bytes(part) : 0;
        // Mapped weights count as they stay, rearranged or not; those in memory are rearranged beside themselves.
        const size_t beside = 2 * own > f->weight_bytes ? f->prepared_bytes : 0;
        phase->peak = s->base + waiting + f->kept_bytes + beside + f->arena_bytes;
        phase->least = s->base + waiting + f->least_memory;
        bool again = false; // one encoder may have several turns
        for (int k = i + 1; k < s->count; k++)
            again |= !strcmp(s->phase[k].part, phase->part);
        waiting -= again ? 0 : own;
        if (phase->peak > s->peak) {
            s->peak = phase->peak;
            s->largest = i;
        }
        least = phase->least > least ? phase->least : least;
    }
    s->least = dit_memory_bound_for(least + JOB_BYTES);
}

// The autoencoder's networks that the job needs.
static dit_status check_autoencoder(dit_model *m, const dit_job *job, dit_error *error)
{
    dit_plan_figures figures;
    const dit_component *vae = dit_model_part(m, "vae", error);
    const dit_shape latents = DIT_SHAPE(1, job->channels, job->height, job->width);
    const dit_shape pixels = DIT_SHAPE(1, 3, job->picture_height, job->picture_width);
    if (vae && !dit_autoencoder_figures(vae, DIT_DECODE, &latents, true, &figures, error) && job->request->init_image)
        dit_autoencoder_figures(vae, DIT_ENCODE, &pixels, true, &figures, error);
    return error->status;
}

// Whether the bound leaves every network what it needs at its turn: that must not show when others have run.
static dit_status check_bound(dit_model *m, const dit_job *job, const dit_conditions conditions, dit_error *error)
{
    dit_survey *s = m->survey;
    const dit_phase *most = s->phase;
    if (!m->memory || survey_transformer(m, job, conditions, error) ||
        (dit_model_has_part(m, "vae") && survey_decoder(m, job, error)))
        return error->status;
    dit_memory_give_back(); // only what is needed for certain counts here
    add_up(m, s);
    for (int i = 1; i < s->count; i++)
        most = s->phase[i].least > most->least ? &s->phase[i] : most;
    // An estimate, from what is resident just now: what it said before, or `dit info` says, would do is tried.
    if (m->memory + s->least / 100 + JOB_BYTES >= s->least)
        return DIT_OK;
    return dit_fail(
        error, DIT_NO_MEMORY,
        "a memory bound of %.4gM is too small for a picture of %lldx%lld, of which %s needs most; %.0fM would "
        "do, or a smaller size",
        (double)m->memory / 1e6, (long long)job->output_width, (long long)job->output_height, most->part,
        ceil((double)s->least / 1e6));
}

dit_status dit_model_check(dit_model *m, const dit_job *job, dit_error *error)
{
    dit_conditions conditions = {0};
    dit_generator generator;
    dit_survey survey = {.names_only = !m->memory};
    const bool kept = m->keep_parts;
    if (m->checked)
        return DIT_OK;
    dit_generator_seed(&generator, 0);
    m->survey = &survey;
    m->keep_parts = true; // their turn is yet to come
    if (!m->class->encode(m, job, &generator, conditions, NULL, error) &&
        !dit_check_network(m, job, &conditions[0], error) &&
        (!dit_model_has_part(m, "vae") || !check_autoencoder(m, job, error)))
        check_bound(m, job, conditions, error);
    m->checked = !error->status;
    m->keep_parts = kept;
    m->survey = NULL;
    dit_arrays_free(&conditions[0]);
    dit_arrays_free(&conditions[1]);
    return error->status;
}

dit_status dit_model_survey(dit_model *m, const dit_request *request, dit_survey *survey, dit_error *error)
{
    *survey = (dit_survey){0};
    m->survey = survey;
    dit_model_keep_parts(m, true); // nothing is taken, and all of them are asked about at the end
    if (!survey_phases(m, request, error))
        add_up(m, survey);
    m->survey = NULL;
    return error->status;
}
