// tests/train/classify_test.c: a classifier's training steps against PyTorch's (tools/fixtures/classifier.py), and a
// run from a recipe to the folder that it leaves.
#include "models/component.h"
#include "support.h"
#include "train/start.h"
#include "train/step.h"
#include "train/trainer.h"
#include <math.h>

#define FIXTURES DIT_SOURCE_DIR "/tests/fixtures/classifier/"

static const double LOSS_BOUND = 1e-4, SUM_BOUND = 1e-4; // relative; sums relative to the norm

struct fixture {
    dit_json_file *record, *config_file;
    dit_safetensors *batches;
    dit_json run;
    void *config;
    dit_weights *weights;
    dit_optimizer optimizer;
    dit_step step;
    int64_t steps, batch;
};

static double number(dit_json object, const char *key)
{
    dit_error error = {0};
    double value = dit_json_number(object, key, -1e9, 1e9, &error);
    assert_fine(error);
    return value;
}

static double at(dit_json object, const char *list, size_t i)
{
    return json_number_value(json_array_get(json_object_get(object.value, list), i));
}

static dit_array batches_of(struct fixture *f, const char *name)
{
    dit_error error = {0};
    dit_array array;
    ptrdiff_t i = dit_safetensors_find(f->batches, name);
    assert_true(i >= 0);
    dit_safetensors_array(f->batches, (size_t)i, &array, &error);
    assert_fine(error);
    return array;
}

static void open_fixture(struct fixture *f)
{
    char path[600], *text;
    size_t size;
    dit_error error = {0};
    *f = (struct fixture){.weights = dit_weights_new()};
    dit_json_open(&f->record, FIXTURES "training/record.json", 0, &error);
    dit_safetensors_open(&f->batches, FIXTURES "training/batches.safetensors", &error);
    assert_fine(error);
    f->run = dit_json_root(f->record);
    snprintf(path, sizeof path, FIXTURES "%s/config.json", dit_json_text(f->run, "start", &error));
    text = read_file(path, &size);
    dit_json_parse(&f->config_file, path, text, size, 0, &error);
    const dit_model_class *class = dit_model_class_find("ImageClassifier");
    f->config = calloc(1, class->config_bytes);
    class->configure(f->config, dit_json_root(f->config_file), &error);
    assert_fine(error);

    dit_shape pictures = batches_of(f, "pixel_values").shape; // (steps, B, C, H, W)
    f->steps = pictures.dim[0];
    f->batch = pictures.dim[1];
    const dit_step_shape shape = {
        .batch = f->batch, .channels = pictures.dim[2], .height = pictures.dim[3], .width = pictures.dim[4]};
    const dit_objective objective = {.process = DIT_CLASSIFICATION,
                                     .label_smoothing = number(f->run, "label_smoothing")};
    const dit_optimizer_options options = {.beta1 = at(f->run, "betas", 0),
                                           .beta2 = at(f->run, "betas", 1),
                                           .eps = number(f->run, "eps"),
                                           .weight_decay = number(f->run, "weight_decay"),
                                           .bias_weight_decay = number(f->run, "weight_decay"),
                                           .clip_norm = number(f->run, "clip")};
    dit_step_create_weights(class, f->config, &objective, &shape, 1, 0, f->weights, &error);
    dit_optimizer_open(&f->optimizer, f->weights, &options, &error);
    *strrchr(path, '/') = 0;
    dit_start_from(path, text, &f->optimizer, &error);
    dit_step_open(&f->step, class, f->config, f->weights, &objective, &shape, &f->optimizer, &error);
    assert_fine(error);
    free(text);
}

static void close_fixture(struct fixture *f)
{
    dit_step_close(&f->step);
    dit_optimizer_close(&f->optimizer);
    dit_weights_free(f->weights);
    free(f->config);
    dit_json_close(f->config_file);
    dit_safetensors_close(f->batches);
    dit_json_close(f->record);
}

static void assert_close(const char *what, double found, double wanted, double scale, double bound)
{
    if (!(fabs(found - wanted) <= bound * scale)) {
        print_error("%s: %.9g, PyTorch %.9g: %.2g apart, %.2g allowed\n", what, found, wanted,
                    fabs(found - wanted) / scale, bound);
        fail();
    }
}

static void compare_parameters(const struct fixture *f)
{
    json_t *wanted = json_object_get(f->run.value, "parameters");
    assert_int_equal(json_object_size(wanted), f->optimizer.count);
    for (int i = 0; i < f->optimizer.count; i++) {
        const dit_optimized *item = &f->optimizer.items[i];
        json_t *pair = json_object_get(wanted, item->name);
        assert_non_null(pair);
        double sum = 0, squares = 0, norm = json_number_value(json_array_get(pair, 1));
        for (int64_t k = 0; k < item->count; k++) {
            sum += (double)item->weight[k];
            squares += (double)item->weight[k] * (double)item->weight[k];
        }
        assert_close(item->name, sum, json_number_value(json_array_get(pair, 0)), norm, SUM_BOUND);
        assert_close(item->name, sqrt(squares), norm, norm, SUM_BOUND);
    }
}

static void steps_are_those_of_pytorch(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    dit_array pixels = batches_of(&f, "pixel_values"), labels = batches_of(&f, "labels");
    int64_t picture = dit_shape_count(&pixels.shape) / f.steps / f.batch;
    assert_null(f.step.noise);
    assert_non_null(f.step.metric);
    for (int64_t k = 0; k < f.steps; k++) {
        char name[64];
        dit_error error = {0};
        snprintf(name, sizeof name, "step %lld", (long long)k + 1);
        memcpy(f.step.pixels, (const float *)pixels.data + k * f.batch * picture,
               (size_t)(f.batch * picture) * sizeof(float));
        memcpy(f.step.labels, (const int64_t *)labels.data + k * f.batch, (size_t)f.batch * sizeof(int64_t));
        dit_plan_run(f.step.plan, NULL, NULL, &error);
        assert_fine(error);
        double norm = dit_optimizer_norm(&f.optimizer, 1);
        double loss = at(f.run, "loss", (size_t)k), wanted_norm = at(f.run, "gradient_norm", (size_t)k);
        assert_close(name, (double)*f.step.loss, loss, loss, LOSS_BOUND);
        assert_close(name, norm, wanted_norm, wanted_norm, LOSS_BOUND);
        assert_close(name, (double)*f.step.metric, at(f.run, "accuracy", (size_t)k), 1, 1e-6);
        dit_optimizer_step(&f.optimizer, number(f.run, "lr"), 1, norm);
    }
    compare_parameters(&f);
    close_fixture(&f);
}

// ---- From a recipe

// Two classes of 6 pictures, dark and bright.
static void make_set(scratch *s)
{
    make_folder(s, "set");
    for (int label = 0; label < 2; label++) {
        char name[64];
        snprintf(name, sizeof name, "set/%s", label ? "light" : "dark");
        make_folder(s, name);
        for (int i = 0; i < 6; i++) {
            snprintf(name, sizeof name, "set/%s/%d.png", label ? "light" : "dark", i);
            write_picture(scratch_path(s, name), 8, 8, 1, (uint8_t)(label ? 200 + 5 * i : 10 + 5 * i));
        }
    }
}

static const char recipe_text[] = "model: {class: ImageClassifier, layers: 2, width: 8}\n"
                                  "data: {set: SET, size: 8, channels: 1}\n"
                                  "objective: {kind: classify, label_smoothing: 0.1}\n"
                                  "train: {steps: 40, batch: 6, lr: 1e-2, ema: [0.5], sample_every: 0}\n";

static void load_recipe(dit_recipe *recipe, scratch *s, const char *override, dit_error *error)
{
    char set[600];
    snprintf(set, sizeof set, "data.set=%s", scratch_path(s, "set"));
    const char *const overrides[] = {set, override};
    write_text(scratch_path(s, "recipe.yaml"), recipe_text);
    dit_recipe_load(recipe, scratch_path(s, "recipe.yaml"), overrides, override ? 2 : 1, error);
}

// The value of `key` in the last line of the log.
static double last_of_log(const char *path, const char *key)
{
    size_t size;
    char *text = read_file(path, &size), *last = NULL;
    for (char *found = text; (found = strstr(found, key)); found++)
        last = found;
    assert_non_null(last);
    double value = atof(last + strlen(key));
    free(text);
    return value;
}

static dit_status refuse_to_draw(void *context, const char *folder, int classes, int64_t steps, dit_error *error)
{
    (void)context, (void)folder, (void)classes, (void)steps, (void)error;
    fail(); // a classifier has nothing to draw
    return DIT_OK;
}

static void a_run_learns_and_leaves_a_network(void **state)
{
    (void)state;
    scratch s;
    dit_error error = {0};
    dit_recipe recipe;
    dit_component component;
    const dit_trainer_hooks hooks = {.exported = refuse_to_draw};
    scratch_make(&s);
    make_set(&s);
    load_recipe(&recipe, &s, NULL, &error);
    assert_fine(error);
    dit_train(&recipe, scratch_path(&s, "run"), &hooks, &error);
    assert_fine(error);
    assert_true(last_of_log(scratch_path(&s, "run/log.jsonl"), "\"accuracy\": ") == 1);
    assert_true(last_of_log(scratch_path(&s, "run/log.jsonl"), "\"loss\": ") < 0.4);
    dit_component_open(&component, scratch_path(&s, "run/model"), DIT_F32, &error);
    assert_fine(error);
    assert_string_equal(component.class->name, "ImageClassifier");
    dit_component_close(&component);
    assert_int_equal(access(scratch_path(&s, "run/model/model_index.json"), F_OK), -1);
    dit_recipe_free(&recipe);
    remove_tree(&s);
}

static void recipes_that_contradict_themselves_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *override, *word;
    } faults[] = {
        {"model.heads=2", "model.heads"},
        {"model.patch=2", "model.patch"},
        {"model.width=12", "model.width"},
        {"model.layers=5", "model.layers"},
        {"objective.label_smoothing=1.5", "label_smoothing"},
        {"objective.learned_variance=true", "learned_variance"},
        {"objective.min_snr_gamma=5", "min_snr_gamma"},
        {"objective.kind=flow", "model.heads"},
    };
    scratch s;
    scratch_make(&s);
    make_set(&s);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        dit_error error = {0};
        dit_recipe recipe;
        load_recipe(&recipe, &s, faults[i].override, &error);
        assert_int_not_equal(error.status, DIT_OK);
        assert_non_null(strstr(error.message, faults[i].word));
        dit_recipe_free(&recipe);
    }
    remove_tree(&s);
}

static void a_transformer_is_not_trained_to_classify(void **state)
{
    (void)state;
    scratch s;
    dit_error error = {0};
    dit_recipe recipe;
    scratch_make(&s);
    make_set(&s);
    load_recipe(&recipe, &s, "model.class=DiTTransformer2DModel", &error);
    assert_fine(error);
    dit_train(&recipe, scratch_path(&s, "run"), NULL, &error);
    assert_refused(&error, DIT_BAD_FILE, "objective.kind", "DiTTransformer2DModel");
    assert_int_equal(access(scratch_path(&s, "run"), F_OK), -1);
    dit_recipe_free(&recipe);
    remove_tree(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_those_of_pytorch),
        cmocka_unit_test(a_run_learns_and_leaves_a_network),
        cmocka_unit_test(recipes_that_contradict_themselves_are_refused),
        cmocka_unit_test(a_transformer_is_not_trained_to_classify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
