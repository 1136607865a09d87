// tests/pipelines/dit_test.c: a DiTPipeline's folder gives the latents that diffusers' DiTPipeline gives, for every
// sampler, guided or not (tools/fixtures/pipelines.py).
#include "../io/support.h"
#include "pipelines/pipeline.h"
#include <math.h>
#include <sys/stat.h>

#define FIXTURES DIT_SOURCE_DIR "/tests/fixtures/pipelines/"
static const double BOUND = 2e-5; // of a case's largest value

// A folder as save_pretrained writes it, whose transformer is that of the fixtures.
static void make_folder(scratch *s, const char *transformer, json_t *scheduler)
{
    static const char index[] = "{\"_class_name\": \"DiTPipeline\"}";
    char target[512];
    scratch_make(s);
    write_file(scratch_path(s, "model_index.json"), index, strlen(index));
    snprintf(target, sizeof target, FIXTURES "%s", transformer);
    assert_int_equal(symlink(target, scratch_path(s, "transformer")), 0);
    assert_int_equal(mkdir(scratch_path(s, "scheduler"), 0700), 0);
    assert_int_equal(json_dump_file(scheduler, scratch_path(s, "scheduler/scheduler_config.json"), 0), 0);
}

static void remove_folder(scratch *s)
{
    unlink(scratch_path(s, "scheduler/scheduler_config.json"));
    rmdir(scratch_path(s, "scheduler"));
    scratch_remove(s);
}

static double largest_difference(const char *path, const dit_array *wanted)
{
    dit_safetensors *file;
    dit_array found;
    dit_error error = {0};
    double difference = 0, largest = 0;
    dit_safetensors_open(&file, path, &error);
    assert_fine(error);
    assert_int_equal(dit_safetensors_count(file), 1);
    dit_safetensors_get(file, "latents", &found, &error);
    assert_fine(error);
    assert_true(dit_shape_equal(&found.shape, &wanted->shape));
    for (int64_t i = 0; i < dit_shape_count(&wanted->shape); i++) {
        double a = dit_element_get(found.dtype, found.data, i), b = dit_element_get(wanted->dtype, wanted->data, i);
        difference = fmax(difference, fabs(a - b));
        largest = fmax(largest, fabs(b));
    }
    dit_safetensors_close(file);
    return difference / largest;
}

static void draw(dit_json c, const char *folder, const char *latents)
{
    dit_error error = {0};
    dit_model *model;
    dit_image images[4];
    dit_request request = dit_request_default();
    request.class_label = (int)dit_json_int(c, "class", 0, 999, &error);
    request.steps = (int)dit_json_int(c, "steps", 1, 1000, &error);
    request.guidance_scale = dit_json_number(c, "guidance_scale", 0, 100, &error);
    request.seed = (uint64_t)dit_json_int(c, "seed", 0, 1000, &error);
    request.count = (int)dit_json_int(c, "pictures", 1, 4, &error);
    assert_fine(error);
    dit_model_open(folder, &model, &error);
    assert_fine(error);
    dit_job job;
    dit_job_start(model, &request, &job, &error);
    assert_fine(error);
    dit_generate_job(model, &job, NULL, images, latents, &error);
    assert_fine(error);
    dit_job_end(&job);
    for (int i = 0; i < request.count; i++) {
        assert_int_equal(images[i].width, 8);
        dit_image_free(&images[i]);
    }
    dit_model_close(model);
}

static void latents_are_those_of_diffusers(void **state)
{
    (void)state;
    dit_json_file *file;
    dit_safetensors *latents;
    dit_error error = {0};
    const char *name;
    json_t *value;
    int cases = 0, wrong = 0;
    dit_json_open(&file, FIXTURES "cases.json", DIT_JSON_MINUS_INFINITY, &error);
    dit_safetensors_open(&latents, FIXTURES "latents.safetensors", &error);
    assert_fine(error);
    json_object_foreach(dit_json_root(file).value, name, value)
    {
        scratch s;
        dit_array wanted;
        char path[512];
        dit_json c = dit_json_object(dit_json_root(file), name, &error);
        dit_safetensors_get(latents, name, &wanted, &error);
        assert_fine(error);
        make_folder(&s, dit_json_text(c, "transformer", &error), json_object_get(value, "scheduler_config"));
        snprintf(path, sizeof path, "%s", scratch_path(&s, "latents.safetensors"));
        draw(c, s.folder, path);
        double difference = largest_difference(path, &wanted);
        print_message("%-20s within %.2g\n", name, difference);
        wrong += !(difference <= BOUND);
        cases++;
        remove_folder(&s);
    }
    assert_true(cases >= 12);
    assert_int_equal(wrong, 0);
    dit_safetensors_close(latents);
    dit_json_close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(latents_are_those_of_diffusers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
