// sample/sampler.c: the table of samplers, and what all of them have in common.
#include "sample/sampler.h"
#include "sample/sampler_private.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SAMPLER(name) extern const dit_sampler_class name;
#include "sample/samplers.def"
#undef SAMPLER

static const dit_sampler_class *const classes[] = {
#define SAMPLER(name) &name,
#include "sample/samplers.def"
#undef SAMPLER
    NULL,
};

const char *const dit_sampler_argument_name[DIT_SAMPLER_ARGUMENTS] = {
    [DIT_MU] = "mu",
    [DIT_ETA] = "eta",
    [DIT_USE_CLIPPED_MODEL_OUTPUT] = "use_clipped_model_output",
    [DIT_S_CHURN] = "s_churn",
    [DIT_S_TMIN] = "s_tmin",
    [DIT_S_TMAX] = "s_tmax",
    [DIT_S_NOISE] = "s_noise",
    [DIT_MAX_TIMESTEPS] = "max_timesteps",
    [DIT_INTERMEDIATE_TIMESTEPS] = "intermediate_timesteps",
    [DIT_ORIGINAL_INFERENCE_STEPS] = "original_inference_steps",
    [DIT_STRENGTH] = "strength",
};

static const double argument_default[DIT_SAMPLER_ARGUMENTS] = {
    [DIT_MU] = NAN,
    [DIT_S_TMAX] = INFINITY,
    [DIT_S_NOISE] = 1,
    [DIT_MAX_TIMESTEPS] = 1.5708,
    [DIT_INTERMEDIATE_TIMESTEPS] = NAN,   // 1.3 for two steps
    [DIT_ORIGINAL_INFERENCE_STEPS] = NAN, // the configuration's
    [DIT_STRENGTH] = 1,
};

const dit_sampler_class *dit_sampler_class_at(int i)
{
    return classes[i];
}

// --- opening ---

static dit_status find_class(const dit_sampler_class **class, const char *name, dit_json config, dit_error *error)
{
    char known[400] = "";
    for (int i = 0; classes[i]; i++) {
        if (!strcmp(classes[i]->name, name)) {
            *class = classes[i];
            return DIT_OK;
        }
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, i ? ", %s" : "%s", classes[i]->name);
    }
    return dit_fail(error, DIT_UNSUPPORTED, "%s: \"_class_name\": no sampler is called \"%.60s\"; there are %.300s",
                    dit_json_file_name(config.file), name, known);
}

// `_use_default_values` lists keys that were not in the file from which this one was made; their values do not count.
static void drop_default_values(dit_json config)
{
    json_t *names = json_object_get(config.value, "_use_default_values"), *name;
    size_t i;
    json_array_foreach(names, i, name)
    {
        if (json_is_string(name) && strcmp(json_string_value(name), "_use_default_values") != 0)
            json_object_del(config.value, json_string_value(name));
    }
}

dit_status dit_sampler_new(dit_sampler **s, const char *class_name, dit_json config, dit_error *error)
{
    *s = NULL;
    if (!class_name)
        class_name = dit_json_text(config, "_class_name", error);
    const dit_sampler_class *class = NULL;
    if (error->status || find_class(&class, class_name, config, error))
        return error->status;
    drop_default_values(config);
    dit_sampler *made = calloc(1, class->size);
    if (!made)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for a sampler");
    made->class = class;
    made->init_noise_sigma = 1;
    if (class->configure(made, config, error)) {
        dit_sampler_free(made);
        return error->status;
    }
    *s = made;
    return DIT_OK;
}

dit_status dit_sampler_open(dit_sampler **s, const char *path, dit_error *error)
{
    static const char *const places[] = {"scheduler_config.json", "scheduler/scheduler_config.json"};
    *s = NULL;
    char *file = NULL;
    struct stat info;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        size_t size = strlen(path) + 40;
        file = malloc(size);
        if (!file)
            return dit_fail(error, DIT_NO_MEMORY, "no memory for a path");
        for (int i = 0; i < 2; i++) {
            snprintf(file, size, "%s/%s", path, places[i]);
            if (stat(file, &info) == 0)
                break;
            if (i == 1)
                dit_fail(error, DIT_NO_FILE,
                         "%.200s: the folder has no scheduler_config.json, nor has scheduler/ in it", path);
        }
    }
    dit_json_file *json = NULL;
    if (!error->status && !dit_json_open(&json, file ? file : path, DIT_JSON_MINUS_INFINITY, error))
        dit_sampler_new(s, NULL, dit_json_root(json), error);
    dit_json_close(json);
    free(file);
    return error->status;
}

void dit_sampler_free(dit_sampler *s)
{
    if (!s)
        return;
    if (s->class->release)
        s->class->release(s);
    free(s->timesteps);
    free(s->sigmas);
    free(s);
}

// --- timesteps ---

dit_status dit_sampler_set_calls(dit_sampler *s, int calls, int sigma_count, dit_error *error)
{
    free(s->timesteps);
    free(s->sigmas);
    s->calls = calls;
    s->sigma_count = sigma_count;
    s->timesteps = malloc(((size_t)calls + 1) * sizeof *s->timesteps); // one more: "trailing" spacing may need it
    s->sigmas = sigma_count ? malloc((size_t)sigma_count * sizeof *s->sigmas) : NULL;
    if (!s->timesteps || (sigma_count && !s->sigmas))
        return dit_fail(error, DIT_NO_MEMORY, "no memory for %d steps", calls);
    return DIT_OK;
}

dit_status dit_sampler_limit_steps(const dit_sampler *s, int steps, int64_t train_steps, dit_error *error)
{
    if (steps <= train_steps)
        return DIT_OK;
    return dit_fail(error, DIT_BAD_ARGUMENT, "%d steps are asked for, but %s has only %lld training timesteps", steps,
                    s->class->name, (long long)train_steps);
}

static dit_status take_arguments(dit_sampler *s, const dit_sampler_arguments *arguments, dit_error *error)
{
    s->given_sigmas = arguments ? arguments->sigmas : NULL;
    if (s->given_sigmas && !s->class->takes_sigmas)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s takes no sigmas", s->class->name);
    for (int i = 0; i < DIT_SAMPLER_ARGUMENTS; i++) {
        const char *name = dit_sampler_argument_name[i];
        bool given = arguments && arguments->given[i];
        s->argument[i] = given ? arguments->value[i] : argument_default[i];
        if (!given)
            continue;
        if (!(s->class->arguments & 1u << i))
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s takes no argument \"%s\"", s->class->name, name);
        if (!isfinite(s->argument[i]) || (i != DIT_MU && s->argument[i] < 0))
            return dit_fail(error, DIT_BAD_ARGUMENT, "the argument \"%s\" is %g; it must be finite%s", name,
                            s->argument[i], i == DIT_MU ? "" : " and not negative");
    }
    return DIT_OK;
}

static dit_status check_finite(const dit_sampler *s, dit_error *error)
{
    for (int i = 0; i < s->calls; i++)
        if (!isfinite(s->timesteps[i]))
            return dit_fail(error, DIT_BAD_NUMBER,
                            "%s: timestep %d of %d comes out as %g; the configuration is beyond it", s->class->name,
                            i + 1, s->calls, s->timesteps[i]);
    for (int i = 0; i < s->sigma_count; i++)
        if (!isfinite(s->sigmas[i]))
            return dit_fail(error, DIT_BAD_NUMBER, "%s: sigma %d of %d comes out as %g; the configuration is beyond it",
                            s->class->name, i + 1, s->sigma_count, (double)s->sigmas[i]);
    return DIT_OK;
}

dit_status dit_sampler_set_timesteps(dit_sampler *s, int64_t steps, const dit_sampler_arguments *arguments,
                                     dit_error *error)
{
    if (steps < 1 || steps > DIT_MOST_STEPS)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%lld steps are asked for; 1 to %d are possible", (long long)steps,
                        DIT_MOST_STEPS);
    s->steps = (int)steps;
    s->calls = s->sigma_count = s->next = 0;
    dit_status status = take_arguments(s, arguments, error);
    if (!status)
        status = s->class->set_timesteps(s, (int)steps, error);
    if (!status)
        status = check_finite(s, error);
    if (status)
        s->calls = s->sigma_count = 0;
    s->given_sigmas = NULL;
    s->count = 0; // dit_sampler_begin comes next
    return status;
}

float dit_first_sigma(const dit_sampler *s, dit_spacing spacing)
{
    float most = 0;
    for (int i = 0; i < s->sigma_count; i++)
        most = fmaxf(most, s->sigmas[i]);
    return spacing == DIT_SPACING_LEADING ? sqrtf(most * most + 1) : most;
}

// --- steps ---

float dit_sigma_divisor(const dit_sampler *s)
{
    float sigma = s->sigmas[s->next];
    return sqrtf(sigma * sigma + 1);
}

void dit_sigma_noise_level(const dit_sampler *s, int call, float *clean_part, float *noise_part)
{
    *clean_part = 1;
    *noise_part = s->sigmas[call];
}

double dit_churn(const dit_sampler *s, float sigma)
{
    if (!(s->argument[DIT_S_TMIN] <= sigma && sigma <= s->argument[DIT_S_TMAX]))
        return 0;
    return fmin(s->argument[DIT_S_CHURN] / (s->sigma_count - 1), sqrt(2) - 1);
}

float dit_add_churn(const dit_sampler *s, float sigma, const float *noise, float *sample)
{
    double gamma = dit_churn(s, sigma);
    if (!(gamma > 0))
        return sigma;
    float higher = sigma * (float)(gamma + 1), times = (float)s->argument[DIT_S_NOISE];
    float by = sqrtf(higher * higher - sigma * sigma);
    DIT_EACH(s->count)
    for (int64_t i = 0; i < s->count; i++)
        sample[i] += noise[i] * times * by;
    return higher;
}

float *dit_sampler_room(int64_t count, dit_error *error)
{
    size_t bytes = ((size_t)count * sizeof(float) + 63) & ~(size_t)63;
    float *room = count < INT64_MAX / 8 ? aligned_alloc(64, bytes ? bytes : 64) : NULL;
    if (!room)
        dit_fail(error, DIT_NO_MEMORY, "no memory for the sampler's state of %lld values", (long long)count);
    return room;
}

dit_status dit_sampler_begin(dit_sampler *s, const dit_sample_size *size, int64_t output_channels, int first,
                             dit_error *error)
{
    int64_t count;
    if (size->batch < 1 || size->channels < 1 || size->inner < 1 ||
        __builtin_mul_overflow(size->batch, size->channels, &count) ||
        __builtin_mul_overflow(count, size->inner, &count) || count > INT64_MAX / 64)
        return dit_fail(error, DIT_BAD_ARGUMENT, "a sample of %lld x %lld x %lld values cannot be",
                        (long long)size->batch, (long long)size->channels, (long long)size->inner);
    if (output_channels != size->channels && output_channels != 2 * size->channels)
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "the network gives %lld channels for samples of %lld; it must be as many, or twice as many",
                        (long long)output_channels, (long long)size->channels);
    if (output_channels != size->channels && !s->class->takes_variance)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s has no use for a variance, but the network gives %lld channels",
                        s->class->name, (long long)output_channels);
    if (s->calls < 1 || first < 0 || first >= s->calls)
        return dit_fail(error, DIT_BAD_ARGUMENT, "sampling cannot begin at call %d of %d", first + 1, s->calls);
    s->size = *size;
    s->output_channels = output_channels;
    s->first = s->next = first;
    s->count = count;
    dit_status status = s->class->begin ? s->class->begin(s, error) : DIT_OK;
    if (status)
        s->count = 0;
    return status;
}

bool dit_sampler_draws_noise(const dit_sampler *s)
{
    return s->next < s->calls && s->class->draws_noise && s->class->draws_noise(s);
}

void dit_sampler_scale_input(const dit_sampler *s, const float *sample, float *out)
{
    if (s->class->input_divisor && s->next < s->calls) {
        float divisor = s->class->input_divisor(s);
        DIT_EACH(s->count)
        for (int64_t i = 0; i < s->count; i++)
            out[i] = sample[i] / divisor;
    } else if (out != sample) {
        memcpy(out, sample, (size_t)s->count * sizeof *out);
    }
}

dit_status dit_sampler_step(dit_sampler *s, const float *model_output, const float *noise, float *sample,
                            dit_error *error)
{
    if (!s->count || s->next >= s->calls)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: all %d steps are taken, or none has begun", s->class->name,
                        s->calls);
    if (!noise && dit_sampler_draws_noise(s))
        return dit_fail(error, DIT_BAD_ARGUMENT, "step %d of %s needs noise", s->next + 1, s->class->name);
    s->class->step(s, model_output, noise, sample);
    s->next++;
    return DIT_OK;
}

void dit_sampler_add_noise(const dit_sampler *s, int call, const float *clean, const float *noise, float *out,
                           int64_t count)
{
    float a, b;
    s->class->noise_level(s, call, &a, &b);
    DIT_EACH(count)
    for (int64_t i = 0; i < count; i++)
        out[i] = a * clean[i] + b * noise[i];
}

dit_status dit_sampler_read_shift(dit_sampler *s, dit_json config, dit_error *error)
{
    s->dynamic_shift = dit_json_bool_or(config, "use_dynamic_shifting", false, error);
    if (!s->dynamic_shift)
        return error->status;
    s->base_shift = dit_json_number_or(config, "base_shift", 0.5, -100, 100, error);
    s->max_shift = dit_json_number_or(config, "max_shift", 1.15, -100, 100, error);
    s->base_image_seq_len = dit_json_int_or(config, "base_image_seq_len", 256, 1, INT32_MAX, error);
    s->max_image_seq_len = dit_json_int_or(config, "max_image_seq_len", 4096, 1, INT32_MAX, error);
    return error->status;
}

double dit_sampler_mu(const dit_sampler *s, int64_t image_tokens)
{
    double slope = (s->max_shift - s->base_shift) / (double)(s->max_image_seq_len - s->base_image_seq_len);
    return (double)image_tokens * slope + (s->base_shift - slope * (double)s->base_image_seq_len);
}
