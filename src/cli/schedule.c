// cli/schedule.c: `dit schedule`: the timesteps of a published sampler, and its states for given network outputs.
#include "base/progress.h"
#include "cli/command.h"
#include "io/safetensors.h"
#include "sample/sampler.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS, INPUTS, OUTPUT };
static const struct option options[] = {
    [STEPS] = {"steps", OPTION_INT, .letter = 'n', .value = "N", .min = 1, .max = DIT_MOST_STEPS, .required = true,
               .help = "sampler steps"},
    [INPUTS] = {"inputs", OPTION_PATH, .value = "FILE",
                .help = "safetensors with sample, model_outputs, noise, and arguments such as mu"},
    [OUTPUT] = {"output", OPTION_PATH, .letter = 'o', .value = "FILE", .help = "safetensors to write: samples"},
    {0},
};

// The input tensors. Arrays that are absent have no data.
struct inputs {
    dit_safetensors *file;
    const char *path;
    dit_array sample, model_outputs, noise;
    dit_sampler_arguments arguments;
};

static dit_status take_argument(struct inputs *in, int which, const dit_array *array, dit_error *error)
{
    const char *name = dit_sampler_argument_name[which];
    char text[160];
    if (array->shape.rank != 0)
        return dit_fail(error, DIT_BAD_FILE, "%s: \"%s\" has shape %s; it must be one number (0-d)", in->path, name,
                        dit_shape_text(&array->shape, text));
    in->arguments.given[which] = true;
    in->arguments.value[which] = dit_element_get(array->dtype, array->data, 0);
    return DIT_OK;
}

static dit_status take_tensor(struct inputs *in, const char *name, const dit_array *array, dit_error *error)
{
    const struct {
        const char *name;
        dit_array *place;
    } tensors[] = {{"sample", &in->sample}, {"model_outputs", &in->model_outputs}, {"noise", &in->noise}};
    for (int i = 0; i < DIT_SAMPLER_ARGUMENTS; i++)
        if (!strcmp(name, dit_sampler_argument_name[i]))
            return take_argument(in, i, array, error);
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        if (strcmp(name, tensors[i].name) != 0)
            continue;
        if (array->dtype != DIT_F32)
            return dit_fail(error, DIT_BAD_FILE, "%s: \"%s\" is %s; it must be f32", in->path, name,
                            dit_dtype_name(array->dtype));
        *tensors[i].place = *array;
        return DIT_OK;
    }
    return dit_fail(error, DIT_BAD_FILE,
                    "%s: \"%.100s\" is not an input; there are sample, model_outputs, noise, mu, ...", in->path, name);
}

static dit_status read_inputs(struct inputs *in, const char *path, dit_error *error)
{
    in->path = path;
    if (!path || dit_safetensors_open(&in->file, path, error))
        return error->status;
    for (size_t i = 0; i < dit_safetensors_count(in->file) && !error->status; i++) {
        dit_array array;
        if (!dit_safetensors_array(in->file, i, &array, error))
            take_tensor(in, dit_safetensors_at(in->file, i)->name, &array, error);
    }
    if (!error->status && !in->sample.data != !in->model_outputs.data)
        return dit_fail(error, DIT_BAD_FILE, "%s: there is %s without %s", path,
                        in->sample.data ? "sample" : "model_outputs", in->sample.data ? "model_outputs" : "sample");
    return error->status;
}

// A shape's axis, or 1 beyond its rank.
static int64_t extent(const dit_shape *shape, int axis)
{
    return axis < shape->rank ? shape->dim[axis] : 1;
}

// Checks that `array` is (rows, *sample's shape), where the channels may be twice as many when `doubled` is not NULL.
static dit_status check_rows(const struct inputs *in, const char *name, const dit_array *array, int rows, bool *doubled,
                             dit_error *error)
{
    const dit_shape *sample = &in->sample.shape;
    dit_shape expected = {.rank = sample->rank + 1, .dim = {rows}};
    char found_text[160], expected_text[160];
    if (expected.rank > DIT_MAX_RANK)
        return dit_fail(error, DIT_UNSUPPORTED, "%s: \"sample\" has %d axes; at most %d are supported", in->path,
                        sample->rank, DIT_MAX_RANK - 1);
    memcpy(expected.dim + 1, sample->dim, (size_t)sample->rank * sizeof *sample->dim);
    dit_shape twice = expected;
    if (doubled && sample->rank > 1 && sample->dim[1] <= INT64_MAX / 2) {
        twice.dim[2] *= 2;
        *doubled = dit_shape_equal(&array->shape, &twice);
        if (*doubled)
            return DIT_OK;
    }
    if (dit_shape_equal(&array->shape, &expected))
        return DIT_OK;
    return dit_fail(error, DIT_BAD_FILE, "%s: \"%s\" has shape %s, expected %s: a row for each of the %d network calls",
                    in->path, name, dit_shape_text(&array->shape, found_text), dit_shape_text(&expected, expected_text),
                    rows);
}

// Runs every step. samples: (calls, *sample's shape).
static dit_status sample_all(dit_sampler *s, const struct inputs *in, float *samples, const dit_watch *watch,
                             dit_error *error)
{
    const float *outputs = in->model_outputs.data, *noise = in->noise.data;
    int64_t outputs_row = s->size.batch * s->output_channels * s->size.inner;
    const float *before = in->sample.data;
    for (int i = 0; i < s->calls; i++, samples += s->count) {
        dit_progress progress = {.phase = "sample", .unit = "step", .done = (uint64_t)i, .total = (uint64_t)s->calls};
        if (dit_report(watch, &progress, error))
            return error->status;
        if (!noise && dit_sampler_draws_noise(s))
            return dit_fail(error, DIT_BAD_FILE, "%s: \"noise\" is missing, which step %d of %s needs", in->path, i + 1,
                            s->class->name);
        memcpy(samples, before, (size_t)s->count * sizeof *samples);
        if (dit_sampler_step(s, outputs + i * outputs_row, noise ? noise + i * s->count : NULL, samples, error))
            return error->status;
        before = samples;
    }
    return DIT_OK;
}

static dit_status write_samples(dit_sampler *s, const struct inputs *in, const char *path, const dit_watch *watch,
                                dit_error *error)
{
    const dit_shape *shape = &in->sample.shape;
    dit_array samples = {0};
    bool doubled = false;
    if (check_rows(in, "model_outputs", &in->model_outputs, s->calls, &doubled, error) ||
        (in->noise.data && check_rows(in, "noise", &in->noise, s->calls, NULL, error)))
        return error->status;
    dit_sample_size size = {extent(shape, 0), extent(shape, 1), 1};
    for (int axis = 2; axis < shape->rank; axis++)
        size.inner *= shape->dim[axis];
    dit_shape all = {.rank = shape->rank + 1, .dim = {s->calls}};
    memcpy(all.dim + 1, shape->dim, (size_t)shape->rank * sizeof *shape->dim);
    if (dit_sampler_begin(s, &size, doubled ? 2 * size.channels : size.channels, 0, error)) {
        error->status = error->status == DIT_BAD_ARGUMENT ? DIT_BAD_FILE : error->status; // the file's, not a flag's
        dit_error_locate(error, in->path);
        return error->status;
    }
    if (dit_array_alloc(&samples, DIT_F32, all, error))
        return error->status;
    dit_safetensors_item item = {"samples", DIT_F32, all, samples.data};
    if (!check_output_path(path, "--output", dit_array_bytes(&samples), error) &&
        !sample_all(s, in, samples.data, watch, error))
        dit_safetensors_write(path, &item, 1, NULL, 0, NULL, NULL, error);
    free(samples.data);
    return error->status;
}

static void print_numbers(const char *name, const double *timesteps, const float *sigmas, int n)
{
    printf("\"%s\": [", name);
    for (int i = 0; i < n; i++)
        printf(i ? ", %.9g" : "%.9g", timesteps ? timesteps[i] : (double)sigmas[i]);
    printf("], ");
}

static dit_status run(const struct call *call, dit_error *error)
{
    const char *config = call->operand[0], *inputs = call->option[INPUTS].text, *output = call->option[OUTPUT].text;
    int64_t steps = call->option[STEPS].integer;
    dit_sampler *s = NULL;
    struct inputs in = {0};
    if (output && !inputs)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--output needs --inputs, with sample and model_outputs");
    if (dit_sampler_open(&s, config, error) || (output && check_output_path(output, "--output", 0, error)) ||
        read_inputs(&in, inputs, error))
        goto done;
    if (output && !in.sample.data) {
        dit_fail(error, DIT_BAD_FILE, "%s: --output needs the tensors sample and model_outputs", inputs);
        goto done;
    }
    if (!output && in.sample.data) {
        dit_fail(error, DIT_BAD_ARGUMENT, "%s has model_outputs; --output says where the samples go", inputs);
        goto done;
    }
    if (dit_sampler_set_timesteps(s, steps, &in.arguments, error)) {
        char where[400];
        snprintf(where, sizeof where, "--steps %lld, %.200s", (long long)steps, config);
        dit_error_locate(error, where);
        goto done;
    }
    if (output && write_samples(s, &in, output, call->watch, error))
        goto done;
    printf("{");
    print_numbers("timesteps", s->timesteps, NULL, s->calls + s->extra_timesteps);
    if (s->sigmas)
        print_numbers("sigmas", NULL, s->sigmas, s->sigma_count);
    printf("\"init_noise_sigma\": %.9g}\n", (double)s->init_noise_sigma);
done:
    dit_sampler_free(s);
    dit_safetensors_close(in.file);
    return error->status;
}

const struct command command_schedule = {
    .name = "schedule",
    .summary = "print a sampler's timesteps, or run it on given network outputs",
    .operands = "FILE|DIR",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .details =
        "FILE is a scheduler_config.json, DIR a folder that holds one, itself or in scheduler/. Prints one JSON\n"
        "object: timesteps, sigmas (where the class has them) and init_noise_sigma.\n\n"
        "--inputs names a safetensors file. `sample` is the start; `model_outputs` (N, ...) is what the network\n"
        "says at each call (2N - 1 calls for a sampler of second order); `noise` (N, ...) is what the steps draw,\n"
        "where they do. --output then gets `samples` (N, ...): the state after every call. Arguments of the class\n"
        "are 0-d tensors: mu, eta, use_clipped_model_output, s_churn, s_tmin, s_tmax, s_noise, max_timesteps,\n"
        "intermediate_timesteps, original_inference_steps, strength.",
    .examples =
        (const char *const[]){
            "dit schedule sd3/scheduler --steps 28",
            "the 28 times at which the network is called",
            "dit schedule flux --steps 4 --inputs mu.safetensors",
            "a schedule that needs mu",
            "dit schedule scheduler_config.json --steps 20 --inputs i.safetensors --output o.safetensors",
            "the states of 20 steps",
            NULL,
        },
    .run = run,
};
