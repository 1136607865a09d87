// pipelines/sample.c: the sampling loop that all families share: noise, network, guidance, sampler.
#include "base/progress.h"
#include "base/random.h"
#include "media/image.h"
#include "pipelines/pipeline.h"
#include "sample/guidance.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The buffers of one run.
struct run {
    dit_model *model;
    const dit_job *job;
    dit_sampler *sampler;
    const dit_watch *watch;
    dit_generator generator;
    int64_t picture;     // values of one picture's state
    int64_t out_picture; // of the network's output for it
    float *state;        // (count, channels, height, width)
    float *output;       // (count, channels, height, width): guided, and without a predicted variance
    float *noise;        // like state, or (rows, channels, height, width): see steps_network_input
    int64_t noise_values;
    dit_image preview;
};

static dit_status plan_network(dit_model *m, const dit_job *job, dit_error *error)
{
    if (m->plan && m->plan_rows == job->rows && m->plan_height == job->height && m->plan_width == job->width)
        return DIT_OK;
    dit_plan_free(m->plan);
    m->plan = NULL;
    dit_graph *g = dit_graph_new(m->transformer.weights);
    if (!g)
        return dit_fail(error, DIT_NO_MEMORY, "no memory to describe the model");
    dit_named_tensors in = {0}, out = {0};
    dit_named_add(&in, "hidden_states",
                  dit_input(g, "hidden_states", DIT_F32, DIT_SHAPE(job->rows, job->channels, job->height, job->width)));
    dit_named_add(&in, "timestep", dit_input(g, "timestep", DIT_F32, DIT_SHAPE(job->rows)));
    m->class->describe(m, g, job, &in);
    m->transformer.class->method[DIT_FORWARD].describe(g, m->transformer.config, &in, &out);
    dit_output(g, "sample", dit_named_find(&out, "sample"));
    dit_plan_new(g, m->transformer.weights, &(dit_plan_options){.frozen = true}, &m->plan, error);
    dit_graph_free(g);
    if (!error->status)
        dit_weights_check_all_used(m->transformer.weights, m->transformer.class->buffers, error);
    if (error->status)
        dit_error_locate(error, m->transformer.folder);
    m->plan_rows = job->rows;
    m->plan_height = job->height;
    m->plan_width = job->width;
    return error->status;
}

// What a flow network that predicts x_0 says of the velocity noise - x_0 = (x_t - x_0) / sigma. Near sigma 0 the
// division would only enlarge rounding: sigma is kept at least at `least`.
static void velocity_from_sample(float *output, const float *state, float sigma, int64_t n)
{
    const float least = 0.02f, scale = 1 / fmaxf(sigma, least);
    for (int64_t i = 0; i < n; i++)
        output[i] = (state[i] - output[i]) * scale;
}

// Guides, and leaves out what the network predicts beside the mean: these families hand no variance to their samplers.
static void guide(struct run *r, float *network)
{
    const dit_job *job = r->job;
    const dit_guidance guidance = dit_guidance_of(job->guidance_scale);
    const int64_t inner = job->height * job->width;
    const dit_sample_size size = {job->count, r->out_picture / inner, inner};
    if (job->guided)
        dit_guidance_combine(&guidance, network + job->count * r->out_picture, network, &size, job->channels, network);
    for (int64_t b = 0; b < job->count; b++)
        memcpy(r->output + b * r->picture, network + b * r->out_picture, (size_t)r->picture * sizeof *network);
}

static dit_status call_network(struct run *r, dit_error *error)
{
    const dit_job *job = r->job;
    dit_plan *plan = r->model->plan;
    float *input = dit_plan_input(plan, "hidden_states").data, *time = dit_plan_input(plan, "timestep").data;
    size_t half = (size_t)(job->count * r->picture);
    dit_sampler_scale_input(r->sampler, r->state, input);
    if (r->model->class->steps_network_input)
        memcpy(r->state, input, half * sizeof *input);
    if (job->guided)
        memcpy(input + half, input, half * sizeof *input);
    for (int64_t i = 0; i < job->rows; i++)
        time[i] = (float)r->sampler->timesteps[r->sampler->next];
    if (dit_plan_run(plan, NULL, NULL, error))
        return error->status;
    guide(r, dit_plan_output(plan, "sample").data);
    return DIT_OK;
}

static bool wants_preview(const struct run *r)
{
    int every = r->job->request->preview_every;
    return every > 0 && r->sampler->next % every == 0 && r->job->channels <= 4 && r->job->channels != 2;
}

static dit_status report(struct run *r, dit_error *error)
{
    dit_progress progress = {
        .phase = "sample", .unit = "step", .done = (uint64_t)r->sampler->next, .total = (uint64_t)r->sampler->calls};
    if (r->watch && wants_preview(r)) {
        if (!r->preview.pixels)
            dit_image_alloc(&r->preview, (int)r->job->width, (int)r->job->height, (int)r->job->channels, error);
        if (r->preview.pixels)
            dit_image_from_planes(&r->preview, r->state);
        progress.preview = r->preview.pixels ? &r->preview : NULL;
    }
    return error->status ? error->status : dit_report(r->watch, &progress, error);
}

static dit_status step(struct run *r, dit_error *error)
{
    int64_t n = r->job->count * r->picture;
    if (call_network(r, error))
        return error->status;
    if (r->model->predicts_sample && r->sampler->sigmas)
        velocity_from_sample(r->output, r->state, r->sampler->sigmas[r->sampler->next], n);
    if (dit_sampler_draws_noise(r->sampler))
        dit_randn(&r->generator, r->noise, (size_t)r->noise_values);
    if (dit_sampler_step(r->sampler, r->output, r->noise, r->state, error))
        return error->status;
    return report(r, error);
}

static dit_status open_run(struct run *r, dit_array *state, dit_error *error)
{
    const dit_job *job = r->job;
    const dit_shape shape = DIT_SHAPE(job->count, job->channels, job->height, job->width);
    const dit_sample_size size = {job->count, job->channels, job->height * job->width};
    r->picture = job->channels * job->height * job->width;
    if (dit_array_alloc(state, DIT_F32, shape, error) || plan_network(r->model, job, error) ||
        r->model->class->fill(r->model, job, r->model->plan, error) ||
        dit_sampler_new(&r->sampler, NULL, dit_json_root(r->model->scheduler), error) ||
        dit_sampler_set_timesteps(r->sampler, job->steps, NULL, error) ||
        dit_sampler_begin(r->sampler, &size, job->channels, 0, error))
        return error->status;
    dit_array output = dit_plan_output(r->model->plan, "sample");
    r->out_picture = dit_shape_count(&output.shape) / job->rows;
    r->state = state->data;
    r->output = malloc((size_t)(job->count * r->picture) * sizeof *r->output);
    const bool steps_input = r->model->class->steps_network_input;
    r->noise_values = (steps_input ? job->rows : job->count) * r->picture;
    r->noise = malloc((size_t)r->noise_values * sizeof *r->noise);
    if (!r->output || !r->noise)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for %d pictures", job->count);
    dit_generator_seed(&r->generator, job->request->seed);
    dit_randn(&r->generator, r->state, (size_t)(job->count * r->picture));
    for (int64_t i = 0; !steps_input && i < job->count * r->picture; i++)
        r->state[i] *= r->sampler->init_noise_sigma;
    return DIT_OK;
}

dit_status dit_draw_states(dit_model *model, const dit_job *job, const dit_watch *watch, dit_array *state,
                           dit_error *error)
{
    struct run r = {.model = model, .job = job, .watch = watch};
    *state = (dit_array){0};
    if (!open_run(&r, state, error) && !report(&r, error))
        while (r.sampler->next < r.sampler->calls && !step(&r, error)) {
        }
    int64_t n = job->count * r.picture;
    for (int64_t i = 0; !error->status && i < n; i++)
        if (!isfinite(r.state[i]))
            dit_fail(error, DIT_BAD_NUMBER, "the model gave a value that is no number; its weights may be damaged");
    dit_sampler_free(r.sampler);
    dit_image_free(&r.preview);
    free(r.output);
    free(r.noise);
    if (error->status) {
        free(state->data);
        *state = (dit_array){0};
    }
    return error->status;
}
