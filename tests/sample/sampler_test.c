// Samplers against diffusers on the configurations of tools/fixtures/schedulers.py, step by step, and what they refuse.
#include "io/safetensors.h"
#include "sample/sampler.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// after the above
#include <cmocka.h>

#define FIXTURES DIT_SOURCE_DIR "/tests/fixtures/schedulers/"
static const double TOLERANCE = 2e-6; // of the largest value; the contract is 1e-5

static dit_sampler *open_text(const char *text, dit_error *error)
{
    dit_json_file *file = NULL;
    dit_sampler *s = NULL;
    if (!dit_json_parse(&file, "config.json", text, strlen(text), DIT_JSON_MINUS_INFINITY, error))
        dit_sampler_new(&s, NULL, dit_json_root(file), error);
    dit_json_close(file);
    return s;
}

// max|a - b| / max|b|
static double difference(const float *a, const float *b, int64_t n)
{
    double worst = 0, largest = 1e-30;
    for (int64_t i = 0; i < n; i++) {
        assert_true(isfinite(a[i]));
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        largest = fmax(largest, fabs((double)b[i]));
    }
    return worst / largest;
}

static void compare_numbers(const char *name, const char *key, json_t *expected, const double *doubles,
                            const float *floats, int n)
{
    assert_int_equal(json_array_size(expected), n);
    for (int i = 0; i < n; i++) {
        double found = doubles ? doubles[i] : (double)floats[i];
        double value = json_number_value(json_array_get(expected, (size_t)i));
        if (fabs(found - value) > TOLERANCE * fmax(fabs(value), 1e-3))
            fail_msg("%s: %s[%d] is %.9g, expected %.9g", name, key, i, found, value);
    }
}

static bool tensor(dit_safetensors *file, const char *name, const char *what, dit_array *array)
{
    char full[120];
    dit_error error = {0};
    snprintf(full, sizeof full, "%s.%s", name, what);
    if (dit_safetensors_find(file, full) < 0)
        return false;
    assert_int_equal(dit_safetensors_get(file, full, array, &error), DIT_OK);
    return true;
}

static dit_sampler_arguments read_arguments(json_t *values)
{
    dit_sampler_arguments arguments = {0};
    for (int i = 0; i < DIT_SAMPLER_ARGUMENTS; i++) {
        json_t *value = json_object_get(values, dit_sampler_argument_name[i]);
        arguments.given[i] = value != NULL;
        arguments.value[i] = json_is_true(value) ? 1 : json_number_value(value);
    }
    return arguments;
}

static double compare_steps(const char *name, dit_sampler *s, dit_safetensors *file)
{
    dit_array sample, outputs, noise = {0}, samples;
    dit_error error = {0};
    assert_true(tensor(file, name, "sample", &sample) && tensor(file, name, "model_outputs", &outputs));
    assert_true(tensor(file, name, "samples", &samples));
    bool has_noise = tensor(file, name, "noise", &noise), drew = false;
    dit_sample_size size = {sample.shape.dim[0], sample.shape.dim[1], sample.shape.dim[2] * sample.shape.dim[3]};
    assert_int_equal(samples.shape.dim[0], s->calls);
    if (dit_sampler_begin(s, &size, outputs.shape.dim[2], 0, &error))
        fail_msg("%s: %s", name, error.message);
    int64_t n = s->count, row = dit_shape_count(&outputs.shape) / s->calls;
    float *x = malloc((size_t)n * sizeof *x);
    assert_non_null(x);
    memcpy(x, sample.data, (size_t)n * sizeof *x);
    double worst = 0;
    for (int i = 0; i < s->calls; i++) {
        drew = drew || dit_sampler_draws_noise(s);
        const float *drawn = has_noise ? (float *)noise.data + i * n : NULL;
        assert_int_equal(dit_sampler_step(s, (float *)outputs.data + i * row, drawn, x, &error), DIT_OK);
        double d = difference(x, (float *)samples.data + i * n, n);
        if (d > TOLERANCE)
            fail_msg("%s: the state after call %d differs by %.3g", name, i + 1, d);
        worst = fmax(worst, d);
    }
    assert_int_equal(drew, has_noise);
    assert_int_equal(dit_sampler_step(s, outputs.data, noise.data, x, &error), DIT_BAD_ARGUMENT);
    free(x);
    return worst;
}

static void every_configuration_equals_diffusers_at_every_step(void **state)
{
    (void)state;
    json_error_t json_error;
    json_t *cases = json_load_file(FIXTURES "cases.json", 0, &json_error), *row;
    dit_safetensors *file;
    dit_error error = {0};
    assert_non_null(cases);
    assert_int_equal(dit_safetensors_open(&file, FIXTURES "cases.safetensors", &error), DIT_OK);
    const char *name;
    size_t compared = 0;
    double worst = 0;
    json_object_foreach(cases, name, row)
    {
        dit_sampler *s = open_text(json_string_value(json_object_get(row, "config")), &error);
        if (!s)
            fail_msg("%s: %s", name, error.message);
        dit_sampler_arguments arguments = read_arguments(json_object_get(row, "arguments"));
        if (dit_sampler_set_timesteps(s, json_integer_value(json_object_get(row, "steps")), &arguments, &error))
            fail_msg("%s: %s", name, error.message);
        compare_numbers(name, "timesteps", json_object_get(row, "timesteps"), s->timesteps, NULL,
                        s->calls + s->extra_timesteps);
        assert_int_equal(json_object_get(row, "sigmas") != NULL, s->sigmas != NULL);
        if (s->sigmas)
            compare_numbers(name, "sigmas", json_object_get(row, "sigmas"), NULL, s->sigmas, s->sigma_count);
        double init = json_number_value(json_object_get(row, "init_noise_sigma"));
        assert_true(fabs((double)s->init_noise_sigma / init - 1) < TOLERANCE);
        worst = fmax(worst, compare_steps(name, s, file));
        dit_sampler_free(s);
        compared++;
    }
    print_message("%zu configurations, largest difference of a state: %.2g\n", compared, worst);
    assert_true(compared >= 60);
    dit_safetensors_close(file);
    json_decref(cases);
}

static void what_is_malformed_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *config, *named;
    } rows[] = {
        {"{}", "_class_name"},
        {"{\"_class_name\": \"NoSuchScheduler\"}", "NoSuchScheduler"},
        {"{\"_class_name\": 3}", "_class_name"},
        {"{\"_class_name\": \"DDPMScheduler\", \"num_train_timesteps\": 0}", "num_train_timesteps"},
        {"{\"_class_name\": \"DDPMScheduler\", \"num_train_timesteps\": -5}", "num_train_timesteps"},
        {"{\"_class_name\": \"DDPMScheduler\", \"num_train_timesteps\": 1e18}", "num_train_timesteps"},
        {"{\"_class_name\": \"DDPMScheduler\", \"num_train_timesteps\": 2000000000}", "num_train_timesteps"},
        {"{\"_class_name\": \"DDPMScheduler\", \"num_train_timesteps\": \"1000\"}", "num_train_timesteps"},
        {"{\"_class_name\": \"DDPMScheduler\", \"num_train_timesteps\": true}", "num_train_timesteps"},
        {"{\"_class_name\": \"DDPMScheduler\", \"beta_schedule\": \"cubic\"}", "beta_schedule"},
        {"{\"_class_name\": \"DDIMScheduler\", \"beta_schedule\": \"sigmoid\"}", "beta_schedule"},
        {"{\"_class_name\": \"DDPMScheduler\", \"beta_start\": false}", "beta_start"},
        {"{\"_class_name\": \"DDPMScheduler\", \"beta_end\": 1.5}", "beta_end"},
        {"{\"_class_name\": \"DDPMScheduler\", \"trained_betas\": []}", "trained_betas"},
        {"{\"_class_name\": \"DDPMScheduler\", \"trained_betas\": [0.1, \"x\"]}", "trained_betas"},
        {"{\"_class_name\": \"DDPMScheduler\", \"variance_type\": \"huge\"}", "variance_type"},
        {"{\"_class_name\": \"DDPMScheduler\", \"clip_sample\": 1}", "clip_sample"},
        {"{\"_class_name\": \"DDIMScheduler\", \"prediction_type\": \"score\"}", "prediction_type"},
        {"{\"_class_name\": \"DDIMScheduler\", \"timestep_spacing\": null, \"steps_offset\": 0.5}", "steps_offset"},
        {"{\"_class_name\": \"EulerDiscreteScheduler\", \"interpolation_type\": \"cubic\"}", "interpolation_type"},
        {"{\"_class_name\": \"EulerDiscreteScheduler\", \"use_karras_sigmas\": true, \"use_beta_sigmas\": true}",
         "use_beta_sigmas"},
        {"{\"_class_name\": \"EulerDiscreteScheduler\", \"lambda_min_clipped\": -Infinity, \"sigma_min\": -1}",
         "sigma_min"},
        {"{\"_class_name\": \"DPMSolverMultistepScheduler\", \"algorithm_type\": \"dpmsolver\"}", "final_sigmas_type"},
        {"{\"_class_name\": \"DPMSolverMultistepScheduler\", \"solver_order\": 0}", "solver_order"},
        {"{\"_class_name\": \"DPMSolverMultistepScheduler\", \"algorithm_type\": \"dpmsolver\", "
         "\"final_sigmas_type\": \"sigma_min\", \"prediction_type\": \"flow_prediction\"}",
         "prediction_type"},
        {"{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift\": 0}", "shift"},
        {"{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"time_shift_type\": \"cubic\"}", "time_shift_type"},
        {"{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift_terminal\": 1}", "shift_terminal"},
        {"{\"_class_name\": \"FlowMatchHeunDiscreteScheduler\", \"shift\": [3]}", "shift"},
        {"{\"_class_name\": \"EulerAncestralDiscreteScheduler\", \"prediction_type\": \"sample\"}", "prediction_type"},
        {"{\"_class_name\": \"HeunDiscreteScheduler\", \"beta_schedule\": \"sigmoid\"}", "beta_schedule"},
        {"{\"_class_name\": \"UniPCMultistepScheduler\", \"solver_p\": {}}", "solver_p"},
        {"{\"_class_name\": \"UniPCMultistepScheduler\", \"shift_terminal\": 0.1}", "shift_terminal"},
        {"{\"_class_name\": \"UniPCMultistepScheduler\", \"disable_corrector\": [1.5]}", "disable_corrector"},
        {"{\"_class_name\": \"LCMScheduler\", \"original_inference_steps\": 2000}", "original_inference_steps"},
        {"{\"_class_name\": \"SCMScheduler\", \"prediction_type\": \"epsilon\"}", "prediction_type"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dit_error error = {0};
        dit_sampler *s = open_text(rows[i].config, &error);
        if (s || !error.status)
            fail_msg("not refused: %s", rows[i].config);
        if (!strstr(error.message, "config.json") || !strstr(error.message, rows[i].named))
            fail_msg("%s: the message is \"%s\"", rows[i].config, error.message);
    }
}

static void unknown_keys_and_default_values_do_not_count(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_sampler *s =
        open_text("{\"_class_name\": \"DDPMScheduler\", \"skip_prk_steps\": true, \"num_train_timesteps\": -1,"
                  " \"_use_default_values\": [\"num_train_timesteps\", 3]}",
                  &error);
    if (!s)
        fail_msg("%s", error.message);
    assert_int_equal(dit_sampler_set_timesteps(s, 1000, NULL, &error), DIT_OK);
    dit_sampler_free(s);
}

// Each row: a configuration that is well-formed, and steps, arguments or samples that do not fit it.
static void what_does_not_fit_a_configuration_is_refused(void **state)
{
    (void)state;
    dit_sampler_arguments mu = {.given = {[DIT_MU] = true}, .value = {[DIT_MU] = 1}};
    dit_sampler_arguments infinite = {.given = {[DIT_MU] = true}, .value = {[DIT_MU] = INFINITY}};
    const struct {
        const char *config;
        int64_t steps;
        const dit_sampler_arguments *arguments;
        int64_t output_channels; // of samples with 3 channels
        dit_status status;
    } rows[] = {
        {"{\"_class_name\": \"DDPMScheduler\"}", 0, NULL, 3, DIT_BAD_ARGUMENT},
        {"{\"_class_name\": \"DDPMScheduler\"}", 1001, NULL, 3, DIT_BAD_ARGUMENT},
        {"{\"_class_name\": \"DDIMScheduler\"}", 1001, NULL, 3, DIT_BAD_ARGUMENT},
        {"{\"_class_name\": \"EulerDiscreteScheduler\"}", INT64_MAX, NULL, 3, DIT_BAD_ARGUMENT},
        {"{\"_class_name\": \"EulerDiscreteScheduler\"}", 1001, NULL, 3, DIT_OK},
        {"{\"_class_name\": \"DDPMScheduler\"}", 10, &mu, 3, DIT_BAD_ARGUMENT},
        {"{\"_class_name\": \"DDPMScheduler\"}", 10, NULL, 6, DIT_BAD_ARGUMENT},
        {"{\"_class_name\": \"DDPMScheduler\"}", 10, NULL, 5, DIT_BAD_ARGUMENT},
        {"{\"_class_name\": \"DDPMScheduler\", \"variance_type\": \"learned\"}", 10, NULL, 3, DIT_BAD_ARGUMENT},
        {"{\"_class_name\": \"DDPMScheduler\", \"variance_type\": \"learned\"}", 10, NULL, 6, DIT_OK},
        {"{\"_class_name\": \"DDPMScheduler\", \"steps_offset\": 900}", 10, NULL, 3, DIT_BAD_ARGUMENT},
        {"{\"_class_name\": \"DDIMScheduler\"}", 10, NULL, 6, DIT_BAD_ARGUMENT},
        {"{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"use_dynamic_shifting\": true}", 4, NULL, 3,
         DIT_BAD_ARGUMENT},
        {"{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"use_dynamic_shifting\": true}", 4, &mu, 3, DIT_OK},
        {"{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"use_dynamic_shifting\": true}", 4, &infinite, 3,
         DIT_BAD_ARGUMENT},
        {"{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift_terminal\": 0.1}", 1, NULL, 3, DIT_BAD_NUMBER},
        {"{\"_class_name\": \"DPMSolverMultistepScheduler\"}", 10, &mu, 3, DIT_BAD_ARGUMENT},
        {"{\"_class_name\": \"UniPCMultistepScheduler\", \"use_dynamic_shifting\": true}", 4, NULL, 3,
         DIT_BAD_ARGUMENT},
        {"{\"_class_name\": \"LCMScheduler\"}", 51, NULL, 3, DIT_BAD_ARGUMENT},
        {"{\"_class_name\": \"SCMScheduler\"}", 1001, NULL, 3, DIT_BAD_ARGUMENT},
        {"{\"_class_name\": \"DPMSolverMultistepScheduler\", \"lambda_min_clipped\": 1000}", 10, NULL, 3,
         DIT_BAD_ARGUMENT},
        {"{\"_class_name\": \"DPMSolverMultistepScheduler\", \"num_train_timesteps\": 1, \"use_karras_sigmas\": true}",
         4, NULL, 3, DIT_BAD_NUMBER},
        {"{\"_class_name\": \"DPMSolverMultistepScheduler\", \"algorithm_type\": \"sde-dpmsolver\", \"solver_order\": "
         "3, "
         "\"final_sigmas_type\": \"sigma_min\"}",
         10, NULL, 3, DIT_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dit_error error = {0};
        dit_sampler *s = open_text(rows[i].config, &error);
        if (!s)
            fail_msg("%s", error.message);
        dit_sample_size size = {1, 3, 4};
        if (!dit_sampler_set_timesteps(s, rows[i].steps, rows[i].arguments, &error))
            dit_sampler_begin(s, &size, rows[i].output_channels, 0, &error);
        if (error.status != rows[i].status)
            fail_msg("row %zu: status %d, expected %d: %s", i, error.status, rows[i].status, error.message);
        dit_sampler_free(s);
    }
}

static void steps_without_their_noise_are_refused(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_sampler *s = open_text("{\"_class_name\": \"DDPMScheduler\"}", &error);
    dit_sample_size size = {1, 1, 2}, empty = {1, 0, 2}, huge = {INT64_MAX / 2, 4, 4};
    float x[2] = {0}, output[2] = {0};
    assert_int_equal(dit_sampler_step(s, output, NULL, x, &error), DIT_BAD_ARGUMENT); // nothing has begun
    assert_int_equal(dit_sampler_set_timesteps(s, 5, NULL, &(dit_error){0}), DIT_OK);
    assert_int_equal(dit_sampler_begin(s, &empty, 0, 0, &(dit_error){0}), DIT_BAD_ARGUMENT);
    assert_int_equal(dit_sampler_begin(s, &huge, 4, 0, &(dit_error){0}), DIT_BAD_ARGUMENT);
    assert_int_equal(dit_sampler_begin(s, &size, 1, 5, &(dit_error){0}), DIT_BAD_ARGUMENT);
    assert_int_equal(dit_sampler_begin(s, &size, 1, 0, &(dit_error){0}), DIT_OK);
    assert_int_equal(dit_sampler_step(s, output, NULL, x, &(dit_error){0}), DIT_BAD_ARGUMENT);
    dit_sampler_free(s);
}

// A perfect prediction of the noise leads every deterministic sampler back to the clean sample, from any first call.
static void exact_predictions_lead_back_to_the_clean_sample(void **state)
{
    (void)state;
    static const char *const configs[] = {
        "{\"_class_name\": \"DDIMScheduler\", \"clip_sample\": false, \"timestep_spacing\": \"trailing\"}",
        "{\"_class_name\": \"EulerDiscreteScheduler\"}",
        "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"solver_order\": 3}",
        ("{\"_class_name\": \"DPMSolverMultistepScheduler\", \"use_flow_sigmas\": true, \"flow_shift\": 3, "
         "\"prediction_type\": \"flow_prediction\"}"),
        "{\"_class_name\": \"HeunDiscreteScheduler\"}",
        "{\"_class_name\": \"UniPCMultistepScheduler\", \"solver_order\": 3}",
        "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"shift\": 3}",
        "{\"_class_name\": \"FlowMatchHeunDiscreteScheduler\", \"shift\": 3}",
    };
    enum { COUNT = 6 };
    float clean[COUNT], noise[COUNT], x[COUNT], output[COUNT];
    for (int i = 0; i < COUNT; i++)
        clean[i] = sinf((float)i + 1), noise[i] = cosf(3 * (float)i);
    for (size_t c = 0; c < sizeof configs / sizeof *configs; c++)
        for (int first = 0; first < 8; first += 6) {
            dit_error error = {0};
            dit_sampler *s = open_text(configs[c], &error);
            dit_sample_size size = {1, 2, COUNT / 2};
            assert_int_equal(dit_sampler_set_timesteps(s, 10, NULL, &error), DIT_OK);
            assert_int_equal(dit_sampler_begin(s, &size, 2, first, &error), DIT_OK);
            dit_sampler_add_noise(s, first, clean, noise, x, COUNT);
            bool flow = strstr(configs[c], "flow_prediction") || strstr(configs[c], "FlowMatch");
            for (int i = 0; i < COUNT; i++)
                output[i] = flow ? noise[i] - clean[i] : noise[i];
            while (s->next < s->calls)
                assert_int_equal(dit_sampler_step(s, output, NULL, x, &error), DIT_OK);
            double d = difference(x, clean, COUNT);
            if (d > 2e-4) // the first state has 0.6% of the signal only, in float32
                fail_msg("%s from call %d: off by %g", configs[c], first, d);
            dit_sampler_free(s);
        }
}

static void begin_starts_afresh(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_sampler *s = open_text("{\"_class_name\": \"DPMSolverMultistepScheduler\"}", &error);
    float output[4] = {1, -1, 0.5f, 2}, x[2][4];
    dit_sample_size size = {1, 1, 4};
    assert_int_equal(dit_sampler_set_timesteps(s, 6, NULL, &error), DIT_OK);
    for (int run = 0; run < 2; run++) {
        for (int i = 0; i < 4; i++)
            x[run][i] = (float)i;
        assert_int_equal(dit_sampler_begin(s, &size, 1, 0, &error), DIT_OK);
        for (int i = 0; i < 6; i++)
            assert_int_equal(dit_sampler_step(s, output, NULL, x[run], &error), DIT_OK);
    }
    assert_memory_equal(x[0], x[1], sizeof x[0]);
    dit_sampler_free(s);
}

static void folders_are_opened_and_missing_files_named(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_sampler *s;
    assert_int_equal(dit_sampler_open(&s, FIXTURES "no-such-file.json", &error), DIT_NO_FILE);
    assert_non_null(strstr(error.message, "no-such-file.json"));
    error = (dit_error){0};
    assert_int_equal(dit_sampler_open(&s, FIXTURES, &error), DIT_NO_FILE);
    assert_non_null(strstr(error.message, "scheduler_config.json"));
    assert_null(s);
}

static void mu_follows_the_number_of_tokens(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_sampler *s = open_text("{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\", \"use_dynamic_shifting\": true, "
                               "\"base_shift\": 0.5, \"max_shift\": 1.15}",
                               &error);
    assert_true(fabs(dit_sampler_mu(s, 256) - 0.5) < 1e-12 && fabs(dit_sampler_mu(s, 4096) - 1.15) < 1e-12);
    dit_sampler_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_configuration_equals_diffusers_at_every_step),
        cmocka_unit_test(what_is_malformed_is_refused_by_name),
        cmocka_unit_test(unknown_keys_and_default_values_do_not_count),
        cmocka_unit_test(what_does_not_fit_a_configuration_is_refused),
        cmocka_unit_test(steps_without_their_noise_are_refused),
        cmocka_unit_test(exact_predictions_lead_back_to_the_clean_sample),
        cmocka_unit_test(begin_starts_afresh),
        cmocka_unit_test(folders_are_opened_and_missing_files_named),
        cmocka_unit_test(mu_follows_the_number_of_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
