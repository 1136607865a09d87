// tests/pipelines/whole_test.c: whole tiny pipelines of tests/fixtures/whole (made by tools/fixtures/whole_*.py):
// prompt in, latents within 1e-4 of the public pipeline's and pictures within one of 255, for the same request. A case
// is a model's folder, or what open.json says: a single file, and where the parts are that it lacks.
#include "../models/distance.h"
#include "media/image.h"
#include "pipelines/pipeline.h"
#include <sys/stat.h>
#include <unistd.h>

#define FIXTURES DIT_SOURCE_DIR "/tests/fixtures/whole"
static const double LATENTS = 1e-4; // of the largest latent
static const double STATES = 1e-5;  // of the largest state of a prompt
static const double PICTURES = 1;   // of 255
// Of latents with the transformer in bf16 from the public pipeline's with its transformer in bf16. (In FLUX's cases
// bf16 is up to 0.8 from f32 in both programs: its times and guidance scales, a thousand of each, are rounded to bf16
// before their sines are taken.) The public pipelines' own latents in bf16 move by 0.0027 to 0.061 of the largest when
// half of what enters the transformer moves by a unit of bf16, FLUX's by 0.021 at most, and those of three networks 16
// wide by more: Hunyuan-DiT's by 0.28 to 0.37, HiDream's by 0.76 to 0.80, one of SANA's by 0.036 to 0.13
// (tools/fixtures/whole_rounding.py).
static const struct {
    const char *name;
    double most;
} HALVES[] = {
    {"flux", 0.015},      {"file-flux", 0.015}, {"sampler-flux", 0.015}, {"hidream", 0.5},
    {"hunyuan-dit", 0.4}, {"sana", 0.1},        {"sana-", 0.05},         {"", 0.05},
};

// Of the longest of these names that this case's begins with.
static double halves_of(const char *name)
{
    size_t longest = 0;
    double most = 0;
    for (size_t i = 0; i < sizeof HALVES / sizeof *HALVES; i++) {
        size_t length = strlen(HALVES[i].name);
        if (!strncmp(name, HALVES[i].name, length) && length >= longest) {
            longest = length;
            most = HALVES[i].most;
        }
    }
    return most;
}

struct request {
    dit_request request;
    int skip_layers[4];
    dit_image init, mask, reference;
    dit_json_file *json;
};

static void load(const char *folder, dit_json json, const char *key, int channels, dit_image *image, dit_error *error)
{
    char path[800];
    const char *name = dit_json_text_or(json, key, NULL, error);
    if (!name)
        return;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    dit_image_load(image, path, channels, error);
}

static void read_request(const char *folder, struct request *r)
{
    char path[800];
    dit_error error = {0};
    *r = (struct request){.request = dit_request_default()};
    snprintf(path, sizeof path, "%s/request.json", folder);
    dit_json_open(&r->json, path, 0, &error);
    assert_fine(error);
    dit_json json = dit_json_root(r->json);
    dit_request *q = &r->request;
    q->prompt = dit_json_text_or(json, "prompt", NULL, &error);
    q->negative_prompt = dit_json_text_or(json, "negative_prompt", NULL, &error);
    q->prompt_weighting = dit_json_text_or(json, "prompt_weighting", NULL, &error);
    q->class_label = (int)dit_json_int_or(json, "class", -1, -1, 1000, &error);
    q->width = (int)dit_json_int_or(json, "width", 0, 0, 4096, &error);
    q->height = (int)dit_json_int_or(json, "height", 0, 0, 4096, &error);
    q->steps = (int)dit_json_int_or(json, "steps", 0, 0, 100, &error);
    q->sampler = dit_json_text_or(json, "sampler", NULL, &error);
    q->schedule = dit_json_text_or(json, "schedule", NULL, &error);
    q->flow_shift = dit_json_number_or(json, "flow_shift", 0, 0, 100, &error);
    q->guidance_scale = dit_json_number_or(json, "guidance_scale", -1, -1, 100, &error);
    q->true_cfg_scale = dit_json_number_or(json, "true_cfg_scale", -1, 1, 100, &error);
    q->cfg_normalization = dit_json_number_or(json, "cfg_normalization", -1, 0, 100, &error);
    q->cfg_truncation = dit_json_number_or(json, "cfg_truncation", -1, 0, 1, &error);
    q->strength = dit_json_number_or(json, "strength", -1, -1, 1, &error);
    q->seed = (uint64_t)dit_json_int(json, "seed", 0, INT32_MAX, &error);
    q->count = (int)dit_json_int_or(json, "num", 1, 1, 4, &error);
    if (dit_json_has(json, "skip_layers")) {
        int64_t layers[4];
        q->skip_layer_count = (int)dit_json_ints(json, "skip_layers", layers, 1, 4, 0, 100, &error);
        for (int i = 0; i < q->skip_layer_count; i++)
            r->skip_layers[i] = (int)layers[i];
        q->skip_layers = r->skip_layers;
        q->skip_layer_scale = dit_json_number(json, "skip_layers_scale", 0, 100, &error);
        q->skip_layer_start = dit_json_number(json, "skip_layers_start", 0, 1, &error);
        q->skip_layer_stop = dit_json_number(json, "skip_layers_stop", 0, 1, &error);
    }
    load(folder, json, "init_image", 0, &r->init, &error);
    load(folder, json, "mask", 0, &r->mask, &error);
    load(folder, json, "image", 3, &r->reference, &error);
    dit_json_refuse_unread(json, &error);
    assert_fine(error);
    q->init_image = r->init.pixels ? &r->init : NULL;
    q->mask = r->mask.pixels ? &r->mask : NULL;
    q->references = &r->reference;
    q->reference_count = r->reference.pixels != NULL;
}

static void free_request(struct request *r)
{
    dit_image_free(&r->init);
    dit_image_free(&r->mask);
    dit_image_free(&r->reference);
    dit_json_close(r->json);
}

// The largest difference from the pictures (N, H, W, 3), which are the upper left corner of pictures of `size`.
static double compare_pictures(const dit_image *images, int count, const dit_array *wanted, const int64_t size[2])
{
    double worst = 0;
    int64_t row = wanted->shape.dim[2] * wanted->shape.dim[3];
    assert_int_equal(wanted->shape.dim[0], count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(images[i].height, size[0]);
        assert_int_equal(images[i].width, size[1]);
        assert_int_equal(images[i].channels, wanted->shape.dim[3]);
        for (int64_t y = 0; y < wanted->shape.dim[1]; y++) {
            const uint8_t *pixels = (const uint8_t *)wanted->data + (i * wanted->shape.dim[1] + y) * row;
            const uint8_t *own = images[i].pixels + y * size[1] * wanted->shape.dim[3];
            for (int64_t k = 0; k < row; k++)
                worst = fmax(worst, abs(own[k] - pixels[k]));
        }
    }
    return worst;
}

static void compare_all_pictures(const char *name, const dit_image *images, int count, dit_safetensors *result)
{
    dit_error error = {0};
    dit_array pictures, whole;
    dit_safetensors_get(result, "pictures", &pictures, &error);
    assert_fine(error);
    int64_t size[2] = {pictures.shape.dim[1], pictures.shape.dim[2]};
    if (dit_safetensors_find(result, "picture_size") >= 0) {
        dit_safetensors_get(result, "picture_size", &whole, &error);
        assert_fine(error);
        memcpy(size, whole.data, sizeof size);
    }
    double pixels = compare_pictures(images, count, &pictures, size);
    print_message("%-24s pictures within %g/255\n", name, pixels);
    hold("pictures", name, pixels, PICTURES);
}

// What the transformer is told of the prompt.
static void compare_states(const char *name, dit_model *model, const dit_job *job, dit_safetensors *result)
{
    dit_error error = {0};
    dit_generator generator;
    dit_conditions conditions = {0};
    dit_array wanted;
    if (dit_safetensors_find(result, "encoder_hidden_states") < 0)
        return;
    dit_safetensors_get(result, "encoder_hidden_states", &wanted, &error);
    dit_generator_seed(&generator, 0);
    model->class->encode(model, job, &generator, conditions, NULL, &error);
    assert_fine(error);
    double states = distance_of(dit_arrays_find(&conditions[0], "encoder_hidden_states"), &wanted, 0).largest;
    print_message("%-24s states of the prompt within %.2g\n", name, states);
    hold("states of the prompt", name, states, STATES);
    dit_arrays_free(&conditions[0]);
    dit_arrays_free(&conditions[1]);
}

// A path of open.json, relative to the case's folder; NULL stays NULL.
static const char *inside(const char *folder, const char *name, char *path, size_t size)
{
    if (name)
        snprintf(path, size, "%s/%s", folder, name);
    return name ? path : NULL;
}

static dit_status open_case(const char *folder, const char *dtype, dit_model **model, dit_error *error)
{
    char path[800], base[800], parts[DIT_MOST_SOURCES][800];
    dit_model_source sources[DIT_MOST_SOURCES];
    dit_model_options options = {.sources = sources, .dtype = dtype};
    dit_json_file *file = NULL;
    const char *part;
    json_t *value;
    *model = NULL;
    if (access(inside(folder, "open.json", path, sizeof path), F_OK))
        return dit_model_open_with(inside(folder, "model", path, sizeof path), &options, model, error);
    dit_json_open(&file, path, 0, error);
    assert_fine(*error);
    dit_json json = dit_json_root(file);
    options.pipeline = dit_json_text_or(json, "pipeline", NULL, error);
    options.base = inside(folder, dit_json_text_or(json, "base", NULL, error), base, sizeof base);
    json_object_foreach(dit_json_object_or_empty(json, "parts", error).value, part, value)
    {
        const char *at = inside(folder, json_string_value(value), parts[options.source_count], sizeof parts[0]);
        sources[options.source_count++] = (dit_model_source){part, at};
    }
    inside(folder, dit_json_text(json, "model", error), path, sizeof path);
    dit_model_open_with(path, &options, model, error);
    dit_json_close(file);
    return error->status;
}

// Latents with the transformer in bf16: near the public ones in bf16, and not those in f32.
static void compare_halves(const char *folder, const char *name, const dit_array *found, const dit_array *in_f32)
{
    char path[800];
    dit_error error = {0};
    dit_safetensors *result = NULL;
    dit_array wanted;
    snprintf(path, sizeof path, "%s/result.bf16.safetensors", folder);
    dit_safetensors_open(&result, path, &error);
    if (!error.status)
        dit_safetensors_get(result, "latents", &wanted, &error);
    assert_fine(error);
    double rounding = distance_of(found, in_f32, 0).largest, latents = distance_of(found, &wanted, 0).largest;
    print_message("%-24s latents in bf16 within %.2g; %.2g from f32\n", name, latents, rounding);
    hold("latents in bf16", name, latents, halves_of(name));
    assert_true(rounding > LATENTS);
    dit_safetensors_close(result);
}

// `dtype`: of the transformer, whose latents alone are then compared; NULL: all is compared.
static void check_case(const char *folder, const char *name, const char *dtype)
{
    char path[800];
    scratch s;
    struct request r;
    dit_job job;
    dit_model *model;
    dit_image images[4];
    dit_safetensors *result, *own;
    dit_array wanted, found;
    dit_error error = {0};
    scratch_make(&s);
    read_request(folder, &r);
    open_case(folder, dtype, &model, &error);
    assert_fine(error);
    dit_model_keep_parts(model, false);
    dit_job_start(model, &r.request, &job, &error);
    snprintf(path, sizeof path, "%s/result.safetensors", folder);
    dit_safetensors_open(&result, path, &error);
    assert_fine(error);
    if (!dtype)
        compare_states(name, model, &job, result);
    dit_generate_job(model, &job, NULL, images, scratch_path(&s, "latents.safetensors"), &error);
    assert_fine(error);
    dit_safetensors_open(&own, scratch_path(&s, "latents.safetensors"), &error);
    dit_safetensors_get(result, "latents", &wanted, &error);
    dit_safetensors_get(own, "latents", &found, &error);
    assert_fine(error);
    if (dtype) {
        compare_halves(folder, name, &found, &wanted);
    } else {
        double latents = distance_of(&found, &wanted, 0).largest;
        print_message("%-24s latents within %.2g\n", name, latents);
        hold("latents", name, latents, LATENTS);
        compare_all_pictures(name, images, r.request.count, result);
    }
    for (int i = 0; i < r.request.count; i++)
        dit_image_free(&images[i]);
    dit_safetensors_close(own);
    dit_safetensors_close(result);
    dit_job_end(&job);
    dit_model_close(model);
    free_request(&r);
    scratch_remove(&s);
}

static const char *only = ""; // cases whose names begin with this

static int is_named(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && !strncmp(entry->d_name, only, strlen(only));
}

static void check_cases(const char *dtype)
{
    struct dirent **cases;
    int count = scandir(FIXTURES, &cases, is_named, alphasort);
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        char folder[600];
        snprintf(folder, sizeof folder, "%s/%.100s", FIXTURES, cases[i]->d_name);
        check_case(folder, cases[i]->d_name, dtype);
        free(cases[i]);
    }
    free(cases);
}

static void pictures_are_those_of_the_public_pipelines(void **state)
{
    (void)state;
    check_cases(NULL);
}

static void transformers_compute_in_half_precision(void **state)
{
    (void)state;
    check_cases("bf16");
}

int main(int argc, char **argv)
{
    only = argc > 1 ? argv[1] : "";
    const struct CMUnitTest tests[] = {cmocka_unit_test(pictures_are_those_of_the_public_pipelines),
                                       cmocka_unit_test(transformers_compute_in_half_precision)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
