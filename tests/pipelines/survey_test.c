// tests/pipelines/survey_test.c: what a picture takes, told before it is drawn.
#include "../models/distance.h"
#include "base/memory.h"
#include "media/image.h"
#include "pipelines/survey.h"

#define WHOLE DIT_SOURCE_DIR "/tests/fixtures/whole/"

static dit_model *opened(const char *folder)
{
    dit_error error = {0};
    dit_model *model;
    dit_model_open(folder, &model, &error);
    assert_fine(error);
    return model;
}

static dit_request asked(void)
{
    dit_request r = dit_request_default();
    r.prompt = "a fox";
    r.negative_prompt = "sea";
    r.steps = 2;
    return r;
}

// The plans are those that run: of the same arena, for the same products.
static void figures_are_those_of_the_plans_that_run(void **state)
{
    (void)state;
    static const char *const folders[] = {WHOLE "sd3/model", WHOLE "flux-dev/model", WHOLE "lumina2/model",
                                          WHOLE "hunyuan-dit/model", WHOLE "sana/model"};
    for (size_t k = 0; k < sizeof folders / sizeof *folders; k++) {
        dit_error error = {0};
        dit_survey s;
        dit_image image;
        dit_model *model = opened(folders[k]);
        dit_request r = asked();
        dit_model_survey(model, &r, &s, &error);
        assert_fine(error);
        assert_true(s.count >= 3);
        assert_string_equal(s.phase[s.count - 2].part, "transformer");
        assert_string_equal(s.phase[s.count - 1].part, "vae");
        dit_generate(model, &r, NULL, &image, &error); // parts stay open
        assert_fine(error);
        assert_int_equal(image.width, s.width);
        assert_int_equal(image.height, s.height);
        const dit_plan_figures run = dit_plan_figures_of(model->network[DIT_PLAN_ROWS].plan);
        const dit_plan_figures told = s.phase[s.count - 2].figures;
        assert_int_equal(told.arena_bytes, run.arena_bytes);
        assert_int_equal(told.steps, run.steps);
        assert_true(told.flops == run.flops && s.step_flops == run.flops);
        for (int i = 0; i < s.count; i++)
            assert_true(s.phase[i].peak <= s.peak && s.phase[i].least <= s.least);
        assert_int_equal(s.phase[s.largest].peak, s.peak);
        dit_image_free(&image);
        dit_model_close(model);
    }
}

static void the_least_bound_is_enough(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); // it keeps what was freed
#endif
    dit_error error = {0};
    dit_survey s;
    dit_image image;
    dit_request r = asked();
    r.width = r.height = 512;
    dit_model *model = opened(WHOLE "flux-dev/model");
    dit_model_survey(model, &r, &s, &error);
    assert_fine(error);
    // Tiles of the decoder make it less than the whole picture takes.
    assert_true(s.least < s.peak);
    dit_model_keep_parts(model, false); // as one picture is drawn under a bound
    dit_model_set_memory(model, s.least);
    dit_generate(model, &r, NULL, &image, &error);
    assert_fine(error);
    dit_image_free(&image);
    dit_model_close(model);
    // Less than the transformer's values take is refused, by it or by what comes after it.
    model = opened(WHOLE "flux-dev/model");
    dit_model_keep_parts(model, false);
    dit_memory_left(SIZE_MAX); // gives back what the picture before held, which s.base may have counted
    dit_model_set_memory(model, dit_memory_resident() + s.phase[s.count - 2].figures.arena_bytes / 2);
    dit_generate(model, &r, NULL, &image, &error);
    assert_refused(&error, DIT_NO_MEMORY, "memory bound");
    dit_model_close(model);
}

static void a_bound_leaves_what_it_is_for(void **state)
{
    (void)state;
    // At 10 MB and at 10 GB alike: the reserve is a share of small bounds.
    for (size_t bytes = 10000000; bytes < (size_t)1 << 40; bytes *= 10) {
        size_t bound = dit_memory_bound_for(bytes);
        size_t share = bound / 8, reserve = share < (32u << 20) ? share : 32u << 20;
        assert_true(bound - reserve >= bytes);
        assert_true(bound - reserve <= bytes + 16);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_those_of_the_plans_that_run),
        cmocka_unit_test(the_least_bound_is_enough),
        cmocka_unit_test(a_bound_leaves_what_it_is_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
