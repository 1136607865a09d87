// tests/pipelines/preview_test.c: pictures while they are drawn, and many pictures at once.
#include "../models/distance.h"
#include "media/image.h"
#include "pipelines/preview.h"

#define FIXTURES DIT_SOURCE_DIR "/tests/fixtures/"

// Deterministic values about zero.
static void fill(float *x, int64_t n, uint64_t seed)
{
    dit_generator g;
    dit_generator_seed(&g, seed);
    dit_randn(&g, x, (size_t)n);
}

static void the_clean_part_is_found_whatever_the_network_says(void **state)
{
    (void)state;
    enum { N = 64 };
    static const struct {
        int says;
        float clean, noise;
    } cases[] = {{DIT_SAYS_NOISE, 0.6f, 0.8f}, {DIT_SAYS_NOISE, 1, 7}, {DIT_SAYS_SAMPLE, 0.6f, 0.8f},
                 {DIT_SAYS_V, 0.6f, 0.8f},     {DIT_SAYS_V, 1, 7},     {DIT_SAYS_FLOW, 0.3f, 0.7f}};
    float x0[N], n[N], x[N], said[N], found[N];
    fill(x0, N, 1);
    fill(n, N, 2);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const float a = cases[k].clean, b = cases[k].noise, length = sqrtf(a * a + b * b);
        for (int i = 0; i < N; i++) {
            x[i] = a * x0[i] + b * n[i];
            said[i] = cases[k].says == DIT_SAYS_NOISE    ? n[i]
                      : cases[k].says == DIT_SAYS_SAMPLE ? x0[i]
                      : cases[k].says == DIT_SAYS_V      ? (a * n[i] - b * x0[i]) / length
                                                         : n[i] - x0[i];
        }
        dit_preview_estimate(cases[k].says, a, b, x, said, found, N);
        for (int i = 0; i < N; i++)
            assert_true(fabsf(found[i] - x0[i]) < 1e-5f);
    }
}

static void a_linear_decoder_is_found(void **state)
{
    (void)state;
    enum { C = 5, H = 4, W = 6, RATIO = 2, N = H * W };
    float latents[C * N], map[3 * (C + 1)], wanted[3 * (C + 1)], pixels[3 * N * RATIO * RATIO];
    dit_error error = {0};
    fill(latents, C * N, 3);
    fill(wanted, 3 * (C + 1), 4);
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < H * RATIO; y++)
            for (int x = 0; x < W * RATIO; x++) {
                const int p = y / RATIO * W + x / RATIO;
                float colour = wanted[c * (C + 1) + C] + (x % RATIO ? 0.25f : -0.25f); // which averages to nothing
                for (int k = 0; k < C; k++)
                    colour += wanted[c * (C + 1) + k] * latents[k * N + p];
                pixels[(c * H * RATIO + y) * W * RATIO + x] = colour;
            }
    dit_preview_fit(latents, C, H, W, pixels, RATIO, map, &error);
    assert_fine(error);
    for (int i = 0; i < 3 * (C + 1); i++)
        assert_true(fabsf(map[i] - wanted[i]) < 1e-4f);
}

struct watched {
    dit_model *model;
    int previews, width, height;
    bool autoencoder_was_open;
};

static int watch(void *context, const dit_progress *progress)
{
    struct watched *w = context;
    if (strcmp(progress->phase, "sample") != 0)
        return 0;
    for (int i = 0; i < w->model->part_count; i++)
        w->autoencoder_was_open |= !strcmp(w->model->parts[i].kind->name, "vae") && w->model->parts[i].open;
    if (progress->preview) {
        w->previews++;
        w->width = progress->preview->width;
        w->height = progress->preview->height;
    }
    return 0;
}

static struct watched draw(const char *folder, const dit_request *request, dit_error *error)
{
    struct watched w = {0};
    dit_image image = {0};
    dit_model_open(folder, &w.model, error);
    assert_fine(*error);
    dit_model_keep_parts(w.model, false);
    dit_generate(w.model, request, &(dit_watch){watch, &w}, &image, error);
    dit_image_free(&image);
    dit_model_close(w.model);
    return w;
}

static void previews_need_no_autoencoder(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_request r = dit_request_default();
    r.prompt = "a fox";
    r.width = r.height = 32;
    r.steps = 5;
    r.preview_every = 2;
    struct watched w = draw(FIXTURES "whole/sd3/model", &r, &error);
    assert_fine(error);
    assert_int_equal(w.previews, 2);
    assert_int_equal(w.width, 16); // a pixel a latent
    assert_int_equal(w.height, 16);
    assert_false(w.autoencoder_was_open);

    r.preview_decoder = FIXTURES "models/autoencoder_tiny/four-channels";
    w = draw(FIXTURES "whole/pixart-alpha/model", &r, &error);
    assert_fine(error);
    assert_int_equal(w.previews, 2);
    assert_true(w.width > 26); // pixels of the small decoder
    w = draw(FIXTURES "whole/sd3/model", &r, &error);
    assert_refused(&error, DIT_BAD_ARGUMENT, "--preview-decoder");
    error = (dit_error){0};
    r.preview_decoder = FIXTURES "none";
    w = draw(FIXTURES "whole/sd3/model", &r, &error);
    assert_refused(&error, DIT_NO_FILE, "--preview-decoder");
}

// The states of `count` pictures, (count, values), drawn in batches.
static float *draw_states(const char *folder, dit_request r, int count, int64_t *values)
{
    dit_error error = {0};
    dit_model *model;
    dit_array states;
    dit_job job;
    r.count = count;
    dit_model_open(folder, &model, &error);
    assert_fine(error);
    dit_job_start(model, &r, &job, &error);
    dit_draw_states(model, &job, NULL, &states, &error);
    assert_fine(error);
    *values = dit_shape_count(&states.shape) / count;
    dit_job_end(&job);
    dit_model_close(model);
    return states.data;
}

// 28 x 28 latents: five pictures are a batch, so that seven are one and a part of another; z-image takes no more
// than 14.
static void pictures_beyond_a_batch_are_drawn_alike(void **state)
{
    (void)state;
    static const struct {
        const char *folder;
        int side, few, many;
    } cases[] = {{FIXTURES "whole/sd3/model", 56, 5, 7}, {FIXTURES "whole/z-image/model", 16, 2, 17}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        dit_request r = dit_request_default();
        int64_t values;
        r.prompt = "a fox";
        r.negative_prompt = "sea";
        r.width = r.height = cases[k].side;
        r.steps = 2;
        float *few = draw_states(cases[k].folder, r, cases[k].few, &values);
        float *many = draw_states(cases[k].folder, r, cases[k].many, &values);
        for (int64_t i = 0; i < cases[k].few * values; i++)
            assert_true(fabsf(few[i] - many[i]) < 1e-5f);
        bool differ = false;
        const float *last = many + (cases[k].many - 1) * values;
        for (int64_t i = 0; i < values; i++)
            differ |= last[i] != last[i - values];
        assert_true(differ);
        free(few);
        free(many);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clean_part_is_found_whatever_the_network_says),
        cmocka_unit_test(a_linear_decoder_is_found),
        cmocka_unit_test(previews_need_no_autoencoder),
        cmocka_unit_test(pictures_beyond_a_batch_are_drawn_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
