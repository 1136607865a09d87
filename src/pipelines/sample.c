// pipelines/sample.c: the sampling loop that all families share: noise, network, guidance, sampler.
#include "base/clock.h"
#include "base/progress.h"
#include "media/image.h"
#include "pipelines/preview.h"
#include "pipelines/start_picture.h"
#include "pipelines/survey.h"
#include "sample/choice.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// The buffers of one run.
struct run {
    dit_model *model;
    const dit_job *job;
    dit_job batch; // the same for the pictures that the network gets at once
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
    float *answers[3];       // (count, answer) each: with the condition, without it, and with some layers skipped
    float *average;          // (count, channels, height, width): see dit_guidance_combine
    int64_t noise_values;
    dit_preview preview;
    dit_image shown; // of the preview
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
static void guide(struct run *r, bool guides, bool skips)
{
    const dit_job *job = r->job;
    const int64_t inner = job->height * job->width;
    float *with = r->answers[0], *without = guides ? r->answers[1] : NULL, *skipping = skips ? r->answers[2] : NULL;
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

static dit_status run_plan(struct run *r, dit_plan *plan, dit_error *error)
{
    dit_error stopped = {0};
    if (!dit_plan_run(plan, dit_watch_stops, (void *)r->watch, &stopped))
        return DIT_OK;
    if (stopped.status == DIT_CANCELLED)
        return dit_fail(error, DIT_CANCELLED, "stopped during sample, %d of %d", r->sampler->next, r->sampler->calls);
    return dit_fail(error, stopped.status, "%s", stopped.message);
}

// Runs one plan over the states, batch by batch, for the answers `first` and, when the plan has both halves in a batch,
// `second`. The last batch is filled up with its last picture.
static dit_status run_network(struct run *r, int which, float *first, float *second, dit_error *error)
{
    dit_plan *plan = r->model->network[which].plan;
    const int64_t rows = dit_plan_output(plan, "answer").shape.dim[0], together = r->batch.count;
    float *latents = dit_plan_input(plan, "latents").data, *time = dit_plan_input(plan, "time").data;
    for (int64_t i = 0; time && i < rows; i++)
        time[i] = (float)time_of(r);
    for (int64_t done = 0; done < r->job->count; done += together) {
        const int64_t count = r->job->count - done < together ? r->job->count - done : together;
        for (int64_t i = 0; i < rows; i++) {
            const int64_t of = done + (i % together < count ? i % together : count - 1);
            memcpy(latents + i * r->picture, r->output + of * r->picture, (size_t)r->picture * sizeof *latents);
        }
        if (run_plan(r, plan, error))
            return error->status;
        const float *answer = dit_plan_output(plan, "answer").data;
        const size_t bytes = (size_t)(count * r->answer) * sizeof *answer;
        memcpy(first + done * r->answer, answer, bytes);
        if (second)
            memcpy(second + done * r->answer, answer + together * r->answer, bytes);
    }
    return DIT_OK;
}

static dit_status call_network(struct run *r, dit_error *error)
{
    const dit_job *job = r->job;
    const dit_pipeline_class *class = r->model->class;
    const bool guides = job->guided && dit_guidance_acts(&job->guidance, r->sampler->next, r->sampler->calls) &&
                        (!class->guides_at || class->guides_at(job, r->sampler->next, r->sampler->calls, time_of(r)));
    const bool skips = guides && dit_guidance_skips(&job->guidance, r->sampler->next, r->sampler->steps);
    dit_sampler_scale_input(r->sampler, r->state, r->output); // until the answer takes its place
    if (r->steps_network_input)
        memcpy(r->state, r->output, (size_t)(job->count * r->picture) * sizeof *r->state);
    const bool half = job->guided && !job->apart && !guides;
    if (run_network(r, half ? DIT_PLAN_HALF : DIT_PLAN_ROWS, r->answers[0],
                    guides && !job->apart ? r->answers[1] : NULL, error) ||
        (guides && job->apart && run_network(r, DIT_PLAN_HALF, r->answers[1], NULL, error)) ||
        (skips && run_network(r, DIT_PLAN_SKIPPING, r->answers[2], NULL, error)))
        return error->status;
    guide(r, guides, skips);
    return DIT_OK;
}

static bool wants_preview(const struct run *r)
{
    int every = r->job->request->preview_every;
    return every > 0 && r->sampler->next > r->sampler->first && r->sampler->next % every == 0 &&
           r->sampler->next < r->sampler->calls;
}

static dit_status report(struct run *r, dit_error *error)
{
    dit_progress progress = {.phase = "sample",
                             .unit = "step",
                             .done = (uint64_t)(r->sampler->next - r->sampler->first),
                             .total = (uint64_t)(r->sampler->calls - r->sampler->first)};
    if (r->watch && wants_preview(r)) {
        dit_image_free(&r->shown);
        dit_preview_make(&r->preview, r->model, r->job, r->state, r->output, &r->shown);
        progress.preview = r->shown.pixels ? &r->shown : NULL;
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
    if (job->request->init_image) {
        const bool alone = r->model->class->inpaints_noise && job->request->mask && job->strength == 1;
        return dit_start_picture_begin(&r->start, r->sampler, alone, r->state, error);
    }
    for (int64_t i = 0; !r->steps_network_input && i < n; i++)
        r->state[i] *= r->sampler->init_noise_sigma;
    scale_state(r->state, n, job->state_scale);
    return DIT_OK;
}

// Texts and pictures to conditions, with the time that this takes.
static dit_status encode(struct run *r, const dit_job *job, dit_generator *generator, dit_conditions conditions,
                         dit_error *error)
{
    const double start = dit_seconds_now();
    dit_progress progress = {.phase = "encode", .unit = "prompt", .total = 1};
    if (dit_report(r->watch, &progress, error) ||
        r->model->class->encode(r->model, job, generator, conditions, r->watch, error))
        return error->status;
    progress.done = 1;
    r->model->seconds.encode += dit_seconds_now() - start;
    return dit_report(r->watch, &progress, error);
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
    dit_job job = r->batch;
    const bool skips = job.guidance.skip_scale != 0;
    job.guided = false;
    job.rows = job.count;
    if (m->class->conditions_by_row ? take_half(&job, &whole[0], &half[0], error)
                                    : encode(r, &job, &generator, half, error))
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
    if (encode(r, &r->batch, &r->generator, conditions, error))
        return error->status;
    const bool alone =
        job->guided && !job->apart && (job->guidance.start > 0 || job->guidance.stop < 1 || job->cfg_truncation < 1);
    if ((alone || job->guidance.skip_scale != 0) && plan_half(r, generator, conditions, alone, 1, error))
        return error->status;
    const bool apart = job->guided && job->apart;
    if (fill_state(r, error) || dit_plan_network(r->model, DIT_PLAN_ROWS, &r->batch, &conditions[0], apart, error))
        return error->status;
    return apart ? dit_plan_network(r->model, DIT_PLAN_HALF, &r->batch, &conditions[1], 0, error) : DIT_OK;
}

// As many pictures at once as together have the latents of one that is large enough to keep the kernels busy: more
// would take memory and no less time.
static dit_job batch_of(const dit_job *job, int most)
{
    const int64_t busy = 4096, inner = job->height * job->width;
    dit_job batch = *job;
    if (inner * batch.count > busy)
        batch.count = inner < busy ? (int)(busy / inner) : 1;
    if (most && batch.count > most)
        batch.count = most;
    batch.rows = job->guided && !job->apart ? 2 * (int64_t)batch.count : batch.count;
    return batch;
}

static dit_status open_run(struct run *r, dit_array *state, dit_error *error)
{
    const dit_job *job = r->job;
    dit_conditions conditions = {0};
    const dit_shape shape = DIT_SHAPE(job->count, job->channels, job->height, job->width);
    r->picture = job->channels * job->height * job->width;
    r->batch = batch_of(job, r->model->class->most_batch);
    dit_generator_seed(&r->generator, job->request->seed);
    if (!dit_model_part(r->model, r->model->parts[0].kind->name, error)) // an earlier picture may have released it
        return error->status;
    if (dit_array_alloc(state, DIT_F32, shape, error) || open_sampler(r, error))
        return error->status;
    if (dit_model_check(r->model, &r->batch, error))
        return error->status;
    size_t values = (size_t)(job->count * r->picture);
    r->state = state->data;
    r->noise_values = (r->steps_network_input ? job->rows : job->count) * r->picture;
    r->output = malloc(values * sizeof *r->output);
    r->noise = malloc((size_t)r->noise_values * sizeof *r->noise);
    r->average = calloc(values, sizeof *r->average);
    if (!r->output || !r->noise || !r->average)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for %d pictures", job->count);
    if (r->watch && job->request->preview_every > 0 &&
        dit_preview_open(&r->preview, r->model, job, r->sampler, error)) // before the transformer's turn
        return error->status;
    if (!plan_networks(r, conditions, error)) {
        dit_array answer = dit_plan_output(r->model->network[DIT_PLAN_ROWS].plan, "answer");
        r->answer = dit_shape_count(&answer.shape) / answer.shape.dim[0];
        for (int i = 0; i < 3 && !error->status; i++)
            if (!(r->answers[i] = malloc((size_t)(job->count * r->answer) * sizeof *r->answers[i])))
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
    const double start = dit_seconds_now();
    *state = (dit_array){0};
    model->seconds.encode = 0;
    if (!open_run(&r, state, error) && !report(&r, error))
        while (r.sampler->next < r.sampler->calls && !step(&r, error)) {
        }
    if (!error->status && !dit_model_check_numbers(model, model->parts[0].kind->name, state, error) &&
        job->state_scale != 0)
        scale_state(r.state, job->count * r.picture, 1 / job->state_scale);
    model->seconds.sample = dit_seconds_now() - start - model->seconds.encode;
    dit_preview_close(&r.preview);
    dit_model_part_done(model, model->parts[0].kind->name);
    dit_start_picture_free(&r.start);
    dit_sampler_free(r.sampler);
    dit_image_free(&r.shown);
    for (int i = 0; i < 3; i++)
        free(r.answers[i]);
    free(r.average);
    free(r.output);
    free(r.noise);
    if (error->status) {
        free(state->data);
        *state = (dit_array){0};
    }
    return error->status;
}
