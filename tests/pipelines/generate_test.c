// tests/pipelines/generate_test.c: the pictures of a draw are handed on one by one, as they are decoded.
#include "../io/support.h"
#include "media/image.h"
#include "pipelines/pipeline.h"
#include <string.h>

// What a sink was told of: how many pictures, in their order. It refuses the one with the number `refused`.
struct told {
    int count, refused;
    dit_image first; // its values at the time
};

static dit_status take(void *context, int index, const dit_image *image, dit_error *error)
{
    struct told *told = context;
    assert_int_equal(index, told->count);
    if (index == told->refused)
        return dit_fail(error, DIT_NO_FILE, "no room for picture %d", index);
    if (!index && !dit_image_alloc(&told->first, image->width, image->height, image->channels, error))
        memcpy(told->first.pixels, image->pixels, (size_t)(image->width * image->height * image->channels));
    told->count++;
    return error->status;
}

static void draw(const char *folder, struct told *told, dit_status expected)
{
    dit_error error = {0};
    dit_model *model;
    dit_image images[3];
    dit_job job;
    dit_request request = dit_request_default();
    request.prompt = "a fox";
    request.width = request.height = 32;
    request.steps = 1;
    request.count = 3;
    dit_model_open(folder, &model, &error);
    assert_fine(error);
    dit_job_start(model, &request, &job, &error);
    assert_fine(error);
    job.sink = (dit_picture_sink){take, told};
    dit_generate_job(model, &job, NULL, images, NULL, &error);
    assert_int_equal(error.status, expected);
    if (!expected)
        assert_memory_equal(images[0].pixels, told->first.pixels,
                            (size_t)(images[0].width * images[0].height * images[0].channels));
    for (int i = 0; i < request.count; i++)
        dit_image_free(&images[i]);
    dit_image_free(&told->first);
    dit_job_end(&job);
    dit_model_close(model);
}

static void every_picture_is_handed_on_in_order(void **state)
{
    (void)state;
    struct told told = {.refused = -1};
    draw(DIT_SOURCE_DIR "/tests/fixtures/whole/z-image/model", &told, DIT_OK);
    assert_int_equal(told.count, 3);
}

static void a_refusal_ends_the_draw(void **state)
{
    (void)state;
    struct told told = {.refused = 1};
    draw(DIT_SOURCE_DIR "/tests/fixtures/whole/z-image/model", &told, DIT_NO_FILE);
    assert_int_equal(told.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_picture_is_handed_on_in_order),
                                       cmocka_unit_test(a_refusal_ends_the_draw)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
