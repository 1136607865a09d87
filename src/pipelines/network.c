// pipelines/network.c: the transformer planned for a job: latents, time and conditions in, an answer out.
#include "base/memory.h"
#include "graph/ops.h"
#include "pipelines/survey.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Names, dtypes and shapes, so that the next job can tell whether the plan is its own too.
static void sign(const dit_job *job, const dit_arrays *conditions, char *text, size_t size)
{
    size_t n = 0;
    text[0] = 0;
    for (int i = 0; job->skipping && i < job->request->skip_layer_count && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "without %d;", job->request->skip_layers[i]);
    for (int i = 0; i < conditions->count && n < size; i++) {
        char shape[160];
        const dit_array *a = &conditions->item[i].array;
        n += (size_t)snprintf(text + n, size - n, "%s %s %s;", conditions->item[i].name, dit_dtype_name(a->dtype),
                              dit_shape_text(&a->shape, shape));
    }
}

static bool is_complex(const dit_component *c, const char *name)
{
    for (const dit_argument *a = c->class->method[DIT_FORWARD].arguments; a->name; a++)
        if (a->need == DIT_COMPLEX && !strcmp(a->name, name))
            return true;
    return false;
}

// Rounds a network's arguments to the dtype that it computes in: floats but for times and other numbers a sample, which
// half precision does not hold, and complex ones.
static void round_arguments(const dit_component *c, dit_graph *g, dit_named_tensors *in)
{
    in->dtype = c->dtype;
    for (int i = 0; i < in->count; i++) {
        dit_tensor *t = &in->item[i].tensor;
        if (c->dtype != DIT_F32 && dit_dtype_of(g, *t) == DIT_F32 && dit_shape_of(g, *t)->rank > 1 &&
            !is_complex(c, in->item[i].name))
            *t = dit_cast(g, *t, c->dtype);
    }
}

static void widen_results(const dit_component *c, dit_graph *g, dit_named_tensors *out)
{
    for (int i = 0; i < out->count && c->dtype != DIT_F32; i++)
        out->item[i].tensor = dit_cast(g, out->item[i].tensor, DIT_F32);
}

static void describe(dit_model *m, dit_graph *g, const dit_job *job, const dit_arrays *conditions)
{
    const dit_component *c = &m->parts[0].component;
    dit_named_tensors in = {0}, out = {0};
    dit_shape shape = DIT_SHAPE(job->rows, job->channels, job->height, job->width);
    dit_tensor latents = dit_input(g, "latents", DIT_F32, shape),
               time = dit_input(g, "time", DIT_F32, DIT_SHAPE(job->rows));
    dit_arrays_describe(conditions, g, &in);
    if (m->class->describe) {
        m->class->describe(m, g, job, latents, time, &in);
    } else {
        dit_named_add(&in, "hidden_states", latents);
        dit_named_add(&in, "timestep", time);
    }
    round_arguments(c, g, &in);
    c->class->method[DIT_FORWARD].describe(g, c->config, &in, &out);
    widen_results(c, g, &out);
    dit_tensor answer = m->class->answer ? m->class->answer(m, g, job, &out) : dit_named_find(&out, "sample");
    dit_output(g, "answer", answer);
    const dit_shape *found = dit_shape_of(g, answer);
    if (!dit_graph_error(g)->status &&
        (found->rank != 4 || found->dim[0] != job->rows || found->dim[1] < job->channels ||
         found->dim[2] != job->height || found->dim[3] != job->width)) {
        char text[160];
        dit_graph_fail(g, DIT_BAD_FILE, "the network answers latents of %lldx%lldx%lldx%lld with %s",
                       (long long)job->rows, (long long)job->channels, (long long)job->height, (long long)job->width,
                       dit_shape_text(found, text));
    }
}

// Bytes for the plan of `g`, when `others` like it are to come, which share the weights that stay.
static size_t memory_for(const dit_component *c, dit_graph *g, int others, dit_error *error)
{
    size_t left = dit_memory_left(c->memory);
    dit_plan *plan = NULL;
    if (!left || !others ||
        dit_plan_new(g, c->weights, &(dit_plan_options){.frozen = true, .figures_only = true}, &plan, error))
        return left;
    size_t other = (size_t)others * dit_plan_figures_of(plan).least_memory;
    dit_plan_free(plan);
    return left > other ? left - other : 1;
}

dit_status dit_plan_network(dit_model *m, int which, const dit_job *job, const dit_arrays *conditions, int others,
                            dit_error *error)
{
    dit_network *n = &m->network[which];
    if (!dit_model_part(m, m->parts[0].kind->name, error))
        return error->status;
    char signature[sizeof n->signature];
    const dit_component *c = &m->parts[0].component;
    sign(job, conditions, signature, sizeof signature);
    if (n->plan && n->rows == job->rows && n->channels == job->channels && n->height == job->height &&
        n->width == job->width && !strcmp(n->signature, signature))
        return dit_arrays_fill(conditions, n->plan, error);
    dit_plan_free(n->plan);
    *n = (dit_network){.rows = job->rows, .channels = job->channels, .height = job->height, .width = job->width};
    memcpy(n->signature, signature, sizeof signature);
    dit_graph *g = dit_graph_new(c->weights);
    if (!g)
        return dit_fail(error, DIT_NO_MEMORY, "no memory to describe the model");
    describe(m, g, job, conditions);
    const dit_plan_options options = {.frozen = true, .memory = memory_for(c, g, others, error), .bound = c->memory};
    if (!error->status)
        dit_plan_new(g, c->weights, &options, &n->plan, error);
    dit_graph_free(g);
    if (!error->status)
        dit_weights_check_all_used(c->weights, c->class->buffers, error);
    if (error->status)
        dit_error_locate(error, c->folder);
    return error->status ? error->status : dit_arrays_fill(conditions, n->plan, error);
}

dit_status dit_check_network(dit_model *m, const dit_job *job, const dit_arrays *conditions, dit_error *error)
{
    const dit_component *c = dit_model_part(m, m->parts[0].kind->name, error);
    dit_graph *g = c ? dit_graph_new(c->weights) : NULL;
    if (!g)
        return error->status ? error->status : dit_fail(error, DIT_NO_MEMORY, "no memory to describe the model");
    describe(m, g, job, conditions);
    if (dit_graph_error(g)->status)
        dit_fail(error, dit_graph_error(g)->status, "%s", dit_graph_error(g)->message);
    else
        dit_weights_check_all_used(c->weights, c->class->buffers, error);
    dit_graph_free(g);
    if (error->status)
        dit_error_locate(error, c->folder);
    return error->status;
}

dit_status dit_network_figures(dit_model *m, const dit_job *job, const dit_arrays *conditions,
                               dit_plan_figures *figures, dit_error *error)
{
    dit_plan *plan = NULL;
    const dit_component *c = dit_model_part(m, m->parts[0].kind->name, error);
    dit_graph *g = c ? dit_graph_new(c->weights) : NULL;
    if (!g)
        return error->status ? error->status : dit_fail(error, DIT_NO_MEMORY, "no memory to describe the model");
    describe(m, g, job, conditions);
    if (!dit_plan_new(g, c->weights, &(dit_plan_options){.frozen = true, .figures_only = true}, &plan, error))
        *figures = dit_plan_figures_of(plan);
    dit_plan_free(plan);
    dit_graph_free(g);
    if (error->status)
        dit_error_locate(error, c->folder);
    return error->status;
}
