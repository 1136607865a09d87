// pipelines/sample.c: the sampling loop that all families share: noise, network, guidance, sampler.
#include "base/progress.h"
#include "media/image.h"
#include "pipelines/pipeline.h"
#include "pipelines/start_picture.h"
#include "sample/choice.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// The buffers of one run.
struct run {
    dit_model *model;
    const dit_job *job;
    dit_sampler *sampler;
    bool steps_network_input; // of the class, see pipeline.h
    const dit_watch *watch;
    dit_generator generator;
    dit_start_picture start; // of image to image; empty otherwise
    int64_t picture;         // values of one picture's state
    int64_t answer;          // of the network's answer for it
    float *state;            // (count, channels, height, width)
    float *output;           // (count, channels, height, width): guided, and without a predicted variance
    float *noise;            // like state, or (rows, channels, height, width): see steps_network_input
    float *answers;          // (count, answer): with the condition, when the halves are computed apart
    float *average;          // (count, channels, height, width): see dit_guidance_combine
    int64_t noise_values;
    dit_image preview;
};

// What a flow network that predicts x_0 says of the velocity noise - x_0 = (x_t - x_0) / sigma. Near sigma 0 the
// division would only enlarge rounding: sigma is kept at least at `least`.
static void velocity_from_sample(float *output, const float *state, float sigma, int64_t n)
{
    const float least = 0.02f, scale = 1 / fmaxf(sigma, least);
    for (int64_t i = 0; i < n; i++)
        output[i] = (state[i] - output[i]) * scale;
}

// Combines both answers, and leaves out what the network predicts beside the mean: these families hand no variance to
// their samplers.
static void guide(struct run *r, float *with, float *without, float *skipping)
{
    const dit_job *job = r->job;
    const int64_t inner = job->height * job->width;
    const dit_guide_call call = {.with = with,
                                 .without = without,
                                 .size = {job->count, r->answer / inner, inner},
                                 .call = r->sampler->next,
                                 .sigma = r->sampler->sigmas ? (double)r->sampler->sigmas[r->sampler->next] : NAN,
                                 .state = r->state,
                                 .out = with};
    if (r->model->class->guide)
        r->model->class->guide(r->model, job, &call);
    else if (without)
        dit_guidance_combine(&job->guidance, call.call, &(dit_guidance_answers){with, without, skipping}, &call.size,
                             job->channels, r->average, with);
    for (int64_t b = 0; b < job->count; b++)
        memcpy(r->output + b * r->picture, with + b * r->answer, (size_t)r->picture * sizeof *with);
}

// The time that the network is given at the next call.
static double time_of(const struct run *r)
{
    double t = r->sampler->timesteps[r->sampler->next];
    return r->model->class->time ? r->model->class->time(r->model, r->job, t) : t;
}

// Runs one plan over the state, once or (both halves in one batch) twice; the answer stays in the plan.
static float *run_network(struct run *r, dit_plan *plan, const float *input, dit_error *error)
{
    const dit_job *job = r->job;
    const size_t half = (size_t)(job->count * r->picture);
    const int64_t rows = dit_plan_output(plan, "answer").shape.dim[0];
    float *latents = dit_plan_input(plan, "latents").data, *time = dit_plan_input(plan, "time").data;
    const double t = time_of(r);
    for (int64_t done = 0; done < rows; done += job->count)
        memcpy(latents + done * r->picture, input, half * sizeof *latents);
    for (int64_t i = 0; time && i < rows; i++)
        time[i] = (float)t;
    dit_error stopped = {0};
    if (!dit_plan_run(plan, dit_watch_stops, (void *)r->watch, &stopped))
        return dit_plan_output(plan, "answer").data;
    if (stopped.status == DIT_CANCELLED)
        dit_fail(error, DIT_CANCELLED, "stopped during sample, %d of %d", r->sampler->next, r->sampler->calls);
    else
        dit_fail(error, stopped.status, "%s", stopped.message);
    return NULL;
}

static dit_status call_network(struct run *r, dit_error *error)
{
    const dit_job *job = r->job;
    const int64_t half = job->count * r->answer;
    const dit_pipeline_class *class = r->model->class;
    const bool guides = job->guided && dit_guidance_acts(&job->guidance, r->sampler->next, r->sampler->calls) &&
                        (!class->guides_at || class->guides_at(job, r->sampler->next, r->sampler->calls, time_of(r)));
    const bool skips = guides && dit_guidance_skips(&job->guidance, r->sampler->next, r->sampler->steps);
    const dit_network *networks = r->model->network;
    dit_plan *first = networks[DIT_PLAN_ROWS].plan, *second = networks[DIT_PLAN_HALF].plan;
    dit_sampler_scale_input(r->sampler, r->state, r->output); // until the answer takes its place
    if (r->steps_network_input)
        memcpy(r->state, r->output, (size_t)(job->count * r->picture) * sizeof *r->state);
    float *with = run_network(r, job->guided && !job->apart && !guides ? second : first, r->output, error);
    float *without = with && guides && !job->apart ? with + half : NULL;
    if (with && guides && job->apart) {
        memcpy(r->answers, with, (size_t)half * sizeof *with);
        without = run_network(r, second, r->output, error);
        with = r->answers;
    }
    float *skipping = with && skips ? run_network(r, networks[DIT_PLAN_SKIPPING].plan, r->output, error) : NULL;
    if (error->status)
        return error->status;
    guide(r, with, without, skipping);
    return DIT_OK;
}

static bool wants_preview(const struct run *r)
{
    int every = r->job->request->preview_every;
    return every > 0 && r->sampler->next % every == 0 && r->sampler->next < r->sampler->calls;
}

// The first picture of the state as it is; what cannot be shown is no error.
static void make_preview(struct run *r)
{
    dit_error ignored = {0};
    dit_job job = *r->job;
    job.count = 1;
    const dit_array state = {DIT_F32, DIT_SHAPE(1, job.channels, job.height, job.width), r->state};
    dit_image_free(&r->preview);
    dit_decode_latents(r->model, &job, &state, NULL, &r->preview, &ignored);
}

static dit_status report(struct run *r, dit_error *error)
{
    dit_progress progress = {.phase = "sample",
                             .unit = "step",
                             .done = (uint64_t)(r->sampler->next - r->sampler->first),
                             .total = (uint64_t)(r->sampler->calls - r->sampler->first)};
    if (r->watch && wants_preview(r)) {
        make_preview(r);
        progress.preview = r->preview.pixels ? &r->preview : NULL;
    }
    return dit_report(r->watch, &progress, error);
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
    dit_start_picture_keep(&r->start, r->sampler, r->state);
    return report(r, error);
}

static dit_status open_sampler(struct run *r, dit_error *error)
{
    const dit_job *job = r->job;
    const dit_sample_size size = {job->count, job->channels, job->height * job->width};
    const dit_sampler_choice choice = {job->request->sampler, job->request->schedule, job->request->flow_shift};
    dit_sampler_arguments arguments = job->sampler_arguments;
    double *made_sigmas = NULL;
    if (dit_sampler_choose(&r->sampler, dit_json_root(r->model->scheduler), &choice, job->shift_tokens, job->steps,
                           &arguments, &made_sigmas, error))
        goto done;
    // That the public loop of such a class is wrong with samplers that divide is no reason to offer them so.
    r->steps_network_input =
        r->model->class->steps_network_input && !(choice.sampler && r->sampler->class->input_divisor);
    if (r->sampler->dynamic_shift && job->shift_tokens && !arguments.given[DIT_MU]) {
        arguments.given[DIT_MU] = true;
        arguments.value[DIT_MU] = dit_sampler_mu(r->sampler, job->shift_tokens);
    }
    if (!dit_sampler_set_timesteps(r->sampler, job->steps, &arguments, error))
        dit_sampler_begin(r->sampler, &size, job->channels, dit_start_picture_first(job, r->sampler), error);
done:
    free(made_sigmas);
    return error->status;
}

static void scale_state(float *state, int64_t n, double scale)
{
    for (int64_t i = 0; scale != 0 && i < n; i++)
        state[i] *= (float)scale;
}

// Unit noise times the sampler's first sigma, or the start picture brought to its noise level.
static dit_status fill_state(struct run *r, dit_error *error)
{
    const dit_job *job = r->job;
    int64_t n = job->count * r->picture;
    if (dit_start_picture_open(&r->start, r->model, job, &r->generator, r->watch, error))
        return error->status;
    dit_randn(&r->generator, r->state, (size_t)n);
    if (job->request->init_image)
        return dit_start_picture_begin(&r->start, r->sampler, r->state, error);
    for (int64_t i = 0; !r->steps_network_input && i < n; i++)
        r->state[i] *= r->sampler->init_noise_sigma;
    scale_state(r->state, n, job->state_scale);
    return DIT_OK;
}

// The conditional half of conditions that are rows: as encoding the prompt alone would give it, but not encoded again.
static dit_status take_half(const dit_job *job, const dit_arrays *from, dit_arrays *to, dit_error *error)
{
    for (int i = 0; i < from->count && !error->status; i++) {
        const dit_array *rows = &from->item[i].array;
        dit_shape shape = rows->shape;
        shape.dim[0] = job->count;
        dit_array *half = dit_arrays_add(to, from->item[i].name, rows->dtype, shape, error);
        if (half)
            memcpy(half->data, rows->data, dit_array_bytes(half));
    }
    return error->status;
}

// Guidance that does not act at every call leaves calls with the condition alone, and skip-layer guidance has such
// calls beside the others: they get plans of their own. `generator` as it was before the conditions were encoded;
// `others` plans come after these.
static dit_status plan_half(struct run *r, dit_generator generator, const dit_conditions whole, bool alone, int others,
                            dit_error *error)
{
    dit_conditions half = {0};
    dit_model *m = r->model;
    dit_job job = *r->job;
    const bool skips = job.guidance.skip_scale != 0;
    job.guided = false;
    job.rows = job.count;
    if (m->class->conditions_by_row ? take_half(&job, &whole[0], &half[0], error)
                                    : m->class->encode(m, &job, &generator, half, r->watch, error))
        goto done;
    if (alone && dit_plan_network(m, DIT_PLAN_HALF, &job, &half[0], others + skips, error))
        goto done;
    job.skipping = true;
    if (skips)
        dit_plan_network(m, DIT_PLAN_SKIPPING, &job, &half[0], others, error);
done:
    dit_arrays_free(&half[0]);
    dit_arrays_free(&half[1]);
    return error->status;
}

static dit_status plan_networks(struct run *r, dit_conditions conditions, dit_error *error)
{
    const dit_job *job = r->job;
    const dit_generator generator = r->generator;
    if (r->model->class->encode(r->model, job, &r->generator, conditions, r->watch, error))
        return error->status;
    const bool alone =
        job->guided && !job->apart && (job->guidance.start > 0 || job->guidance.stop < 1 || job->cfg_truncation < 1);
    if ((alone || job->guidance.skip_scale != 0) && plan_half(r, generator, conditions, alone, 1, error))
        return error->status;
    const bool apart = job->guided && job->apart;
    if (fill_state(r, error) || dit_plan_network(r->model, DIT_PLAN_ROWS, job, &conditions[0], apart, error))
        return error->status;
    return apart ? dit_plan_network(r->model, DIT_PLAN_HALF, job, &conditions[1], 0, error) : DIT_OK;
}

static dit_status open_run(struct run *r, dit_array *state, dit_error *error)
{
    const dit_job *job = r->job;
    dit_conditions conditions = {0};
    const dit_shape shape = DIT_SHAPE(job->count, job->channels, job->height, job->width);
    r->picture = job->channels * job->height * job->width;
    dit_generator_seed(&r->generator, job->request->seed);
    if (!dit_model_part(r->model, r->model->parts[0].kind->name, error)) // an earlier picture may have released it
        return error->status;
    if (dit_array_alloc(state, DIT_F32, shape, error) || open_sampler(r, error))
        return error->status;
    size_t values = (size_t)(job->count * r->picture);
    r->state = state->data;
    r->noise_values = (r->steps_network_input ? job->rows : job->count) * r->picture;
    r->output = malloc(values * sizeof *r->output);
    r->noise = malloc((size_t)r->noise_values * sizeof *r->noise);
    r->average = calloc(values, sizeof *r->average);
    if (!r->output || !r->noise || !r->average)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for %d pictures", job->count);
    if (!plan_networks(r, conditions, error)) {
        dit_array answer = dit_plan_output(r->model->network[0].plan, "answer");
        r->answer = dit_shape_count(&answer.shape) / answer.shape.dim[0];
        if (!(r->answers = malloc((size_t)(job->count * r->answer) * sizeof *r->answers)))
            dit_fail(error, DIT_NO_MEMORY, "no memory for %d pictures", job->count);
    }
    dit_arrays_free(&conditions[0]);
    dit_arrays_free(&conditions[1]);
    return error->status;
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
    if (!error->status && job->state_scale != 0)
        scale_state(r.state, n, 1 / job->state_scale);
    dit_model_part_done(model, model->parts[0].kind->name);
    dit_start_picture_free(&r.start);
    dit_sampler_free(r.sampler);
    dit_image_free(&r.preview);
    free(r.answers);
    free(r.average);
    free(r.output);
    free(r.noise);
    if (error->status) {
        free(state->data);
        *state = (dit_array){0};
    }
    return error->status;
}
