// tests/eval/drawings_test.c: from folders of pictures to rates, with a judge of random weights.
#include "../train/support.h"
#include "eval/drawings.h"
#include "media/image.h"
#include "media/png.h"

#define JUDGE DIT_SOURCE_DIR "/tests/fixtures/efficientnet_lite"
enum { PICTURES = 24 };

// A disc of a colour and place of its own on a clear ground.
static void write_disc(const char *path, int number, int width, int height)
{
    dit_error error = {0};
    dit_image image;
    assert_int_equal(dit_image_alloc(&image, width, height, 4, &error), DIT_OK);
    double x0 = width * (0.25 + 0.1 * (number % 5)), y0 = height * (0.25 + 0.1 * (number / 5)), r = width / 6.0;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            if ((x - x0) * (x - x0) + (y - y0) * (y - y0) < r * r) {
                const uint8_t colour[] = {(uint8_t)(40 * (number % 6)), (uint8_t)(60 * (number % 4)),
                                          (uint8_t)(90 * (number % 3)), 255};
                memcpy(image.pixels + 4 * (y * width + x), colour, 4);
            }
    dit_png_save(path, &image, NULL, 0, &error);
    assert_fine(error);
    dit_image_free(&image);
}

// Pictures number first, first + 1, ... with the captions of their numbers.
static void make_set(scratch *s, int first, int count, int width, int height)
{
    char list[8192] = "", name[32];
    for (int i = first; i < first + count; i++) {
        snprintf(name, sizeof name, "%d.png", i);
        write_disc(scratch_path(s, name), i, width, height);
        size_t n = strlen(list);
        snprintf(list + n, sizeof list - n, "{\"file_name\": \"%s\", \"text\": \"disc %d\"}\n", name, i);
    }
    write_text(scratch_path(s, "metadata.jsonl"), list);
}

static void real_pictures_find_themselves(void **state)
{
    (void)state;
    scratch s;
    dit_error error = {0};
    dit_judge *judge;
    dit_drawing *drawings;
    dit_drawings_result result;
    size_t found;
    int ranks[PICTURES];
    scratch_make(&s);
    make_set(&s, 0, PICTURES, 40, 40);
    dit_dataset *set = opened(s.folder, NULL);
    dit_judge_open(&judge, JUDGE, &error);
    assert_fine(error);
    assert_int_equal(dit_judge_width(judge), 24);
    dit_drawings_read(set, set, 3, 1000, &drawings, &found, &error);
    assert_fine(error);
    assert_int_equal(found, PICTURES);
    const dit_retrieval_options how = {.candidates = PICTURES, .seed = 1};
    dit_drawings_judge(judge, set, drawings, found, &how, NULL, ranks, &result, &error);
    assert_fine(error);
    assert_int_equal(result.size, 40);
    assert_true(result.rates.first == 1);
    assert_true(result.chance.first < 0.3);
    dit_drawings_free(drawings, found);
    dit_judge_close(judge);
    dit_dataset_close(set);
    remove_tree(&s);
}

static void drawings_are_matched_by_their_captions(void **state)
{
    (void)state;
    scratch real_folder, drawn_folder;
    dit_error error = {0};
    dit_drawing *drawings;
    size_t found;
    scratch_make(&real_folder);
    scratch_make(&drawn_folder);
    make_set(&real_folder, 0, PICTURES, 20, 16);
    make_set(&drawn_folder, 10, 6, 8, 8);
    dit_dataset *real = opened(real_folder.folder, NULL), *drawn = opened(drawn_folder.folder, NULL);
    dit_drawings_read(drawn, real, 1, 4, &drawings, &found, &error);
    assert_fine(error);
    assert_int_equal(found, 4);
    int seen[PICTURES] = {0};
    for (size_t i = 0; i < found; i++) {
        assert_in_range(drawings[i].own, 10, 15);
        assert_int_equal(seen[drawings[i].own]++, 0);
        assert_int_equal(drawings[i].image.width, 8);
    }
    dit_drawings_free(drawings, found);
    dit_drawings_read(real, drawn, 1, 100, &drawings, &found, &error);
    assert_null(drawings);
    assert_refused(&error, DIT_BAD_FILE, ".png", "no real picture is called \"disc ");
    dit_dataset_close(real);
    dit_dataset_close(drawn);
    remove_tree(&real_folder);
    remove_tree(&drawn_folder);
}

static void captions_are_chosen_once(void **state)
{
    (void)state;
    scratch s;
    dit_error error = {0};
    size_t own[PICTURES], other[PICTURES];
    scratch_make(&s);
    make_set(&s, 0, PICTURES, 4, 4);
    FILE *list = fopen(scratch_path(&s, "metadata.jsonl"), "a");
    assert_non_null(list);
    fputs("{\"file_name\": \"0.png\", \"text\": \"disc 1\"}\n{\"file_name\": \"1.png\"}\n", list);
    fclose(list);
    dit_dataset *set = opened(s.folder, NULL);
    dit_drawings_choose(set, 5, PICTURES, own, &error);
    assert_fine(error);
    for (int i = 0; i < PICTURES; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(dit_dataset_sample(set, own[i]).text, dit_dataset_sample(set, own[k]).text);
    dit_drawings_choose(set, 6, PICTURES, other, &error);
    assert_memory_not_equal(own, other, sizeof own);
    dit_drawings_choose(set, 5, PICTURES + 1, (size_t[PICTURES + 1]){0}, &error);
    assert_refused(&error, DIT_BAD_ARGUMENT, "24 captions");
    dit_dataset_close(set);
    remove_tree(&s);
}

static void the_judge_must_be_one(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_judge *judge;
    dit_judge_open(&judge, DIT_SOURCE_DIR "/tests/fixtures/models/dit/gelu", &error);
    assert_null(judge);
    assert_refused(&error, DIT_BAD_FILE, "DiTTransformer2DModel", "EfficientNetLite");
    error = (dit_error){0};
    dit_judge_open(&judge, "nowhere", &error);
    assert_refused(&error, DIT_NO_FILE, "nowhere", "tools/data/judge");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_pictures_find_themselves),
        cmocka_unit_test(drawings_are_matched_by_their_captions),
        cmocka_unit_test(captions_are_chosen_once),
        cmocka_unit_test(the_judge_must_be_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
