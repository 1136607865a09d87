// tests/train/augment_test.c: pictures reach the network at their size and range, and chance does what it is told.
#include "media/image.h"
#include "support.h"
#include "train/augment.h"
#include "train/caption.h"
#include "train/window.h"
#include <math.h>

enum { MOST = 3 * 64 * 64 };

static dit_image filled(int width, int height, int channels, const uint8_t *colour)
{
    dit_error error = {0};
    dit_image image;
    assert_int_equal(dit_image_alloc(&image, width, height, channels, &error), DIT_OK);
    for (int i = 0; i < width * height * channels; i++)
        image.pixels[i] = colour[i % channels];
    return image;
}

// A picture of smooth waves with detail enough to see a shift of a pixel.
static dit_image waves(int width, int height, int channels)
{
    dit_image image = filled(width, height, channels, (const uint8_t[]){0, 0, 0, 0});
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++)
                image.pixels[(y * width + x) * channels + c] =
                    (uint8_t)lround(127.5 + 100 * sin(0.2 * x + 0.13 * y * (c + 1)));
    return image;
}

static void drawn(const dit_image *image, const dit_picture_options *o, uint64_t position, float *planes)
{
    dit_error error = {0};
    assert_int_equal(dit_picture_draw(image, o, 1, position, true, planes, &error), DIT_OK);
}

static void assert_planes(const float *planes, int channels, int pixels, const double *values)
{
    for (int c = 0; c < channels; c++)
        for (int i = 0; i < pixels; i++)
            if (fabs(planes[c * pixels + i] - values[c]) > 1e-5) {
                print_error("channel %d, pixel %d is %g, not %g\n", c, i, (double)planes[c * pixels + i], values[c]);
                fail();
            }
}

static void transparency_shows_the_background(void **state)
{
    (void)state;
    static float planes[MOST];
    dit_error error = {0};
    dit_picture_options o = {.size = 4, .channels = 3, .background = {255, 255, 255}};
    dit_image clear = filled(4, 4, 4, (const uint8_t[]){10, 20, 30, 0});
    assert_int_equal(dit_picture_prepare(&clear, &o, &error), DIT_OK);
    drawn(&clear, &o, 0, planes);
    assert_planes(planes, 3, 16, (const double[]){1, 1, 1});
    dit_image_free(&clear);

    dit_image opaque = filled(4, 4, 4, (const uint8_t[]){0, 255, 51, 255});
    assert_int_equal(dit_picture_prepare(&opaque, &o, &error), DIT_OK);
    drawn(&opaque, &o, 0, planes);
    assert_planes(planes, 3, 16, (const double[]){-1, 1, -0.6});
    dit_image_free(&opaque);
}

static void pictures_become_square_as_asked(void **state)
{
    (void)state;
    static float planes[MOST];
    dit_error error = {0};
    dit_picture_options o = {.size = 8, .channels = 1, .background = {255, 255, 255}};
    for (o.fit = DIT_FIT_PAD; o.fit <= DIT_FIT_STRETCH; o.fit++) {
        dit_image wide = filled(8, 4, 1, (const uint8_t[]){0});
        wide.pixels[0] = 0;
        assert_int_equal(dit_picture_prepare(&wide, &o, &error), DIT_OK);
        assert_int_equal(wide.width, 8);
        assert_int_equal(wide.height, 8);
        drawn(&wide, &o, 0, planes);
        bool padded = o.fit == DIT_FIT_PAD; // two rows above and below
        assert_planes(planes, 1, 16, &(const double){padded ? 1 : -1});
        assert_planes(planes + 16, 1, 32, &(const double){-1});
        assert_planes(planes + 48, 1, 16, &(const double){padded ? 1 : -1});
        dit_image_free(&wide);
    }
}

static void a_window_on_all_is_a_resize(void **state)
{
    (void)state;
    static float planes[MOST];
    dit_error error = {0};
    for (int channels = 1; channels <= 3; channels += 2) {
        dit_image image = waves(50, 37, channels);
        assert_int_equal(dit_picture_window_resample(&image, (dit_picture_window){0, 0, 50, 37}, 24,
                                                     (const uint8_t[]){0, 0, 0}, planes, &error),
                         DIT_OK);
        assert_int_equal(dit_image_resize(&image, 24, 24, DIT_FILTER_BICUBIC, &error), DIT_OK);
        double worst = 0; // away from the border, where the window sees background
        for (int y = 3; y < 21; y++)
            for (int x = 3; x < 21; x++)
                for (int c = 0; c < channels; c++)
                    worst =
                        fmax(worst, fabs(planes[(c * 24 + y) * 24 + x] - image.pixels[(y * 24 + x) * channels + c]));
        assert_true(worst <= 1.01); // two roundings to whole values
        dit_image_free(&image);
    }
}

static void windows_see_background_beyond_the_picture(void **state)
{
    (void)state;
    static float planes[MOST];
    dit_error error = {0};
    dit_image image = filled(3, 2, 1, (const uint8_t[]){200});
    const dit_picture_window windows[] = {{-50, -50, 20, 20}, {30, 0, 5, 5}, {0, 1e6, 3, 2}, {-1e6, 0, 3, 2}};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(dit_picture_window_resample(&image, windows[i], 6, &(const uint8_t){80}, planes, &error),
                         DIT_OK);
        for (int p = 0; p < 36; p++)
            assert_true(fabs((double)planes[p] - 80) < 1e-3);
    }
    // Background on all sides, as far as the filter reaches: the picture's 6 of 120 pixels make up the mean.
    assert_int_equal(dit_picture_window_resample(&image, (dit_picture_window){-4.5, -4, 12, 10}, 64,
                                                 &(const uint8_t){0}, planes, &error),
                     DIT_OK);
    double sum = 0;
    for (int p = 0; p < 64 * 64; p++)
        sum += planes[p];
    assert_true(fabs(sum / (64 * 64) - 200 * 6 / 120.0) < 0.05);
    dit_image_free(&image);
}

static void half_of_the_pictures_are_mirrored(void **state)
{
    (void)state;
    static float plain[MOST], planes[MOST];
    dit_error error = {0};
    dit_picture_options o = {.size = 16, .channels = 3};
    dit_image image = waves(16, 16, 3);
    drawn(&image, &o, 0, plain);
    o.augmentation.mirror = true;
    int mirrored = 0;
    for (uint64_t position = 0; position < 400; position++) {
        drawn(&image, &o, position, planes);
        bool is = planes[0] != plain[0];
        mirrored += is;
        for (int row = 0; row < 3 * 16; row++)
            for (int x = 0; x < 16; x++)
                assert_true(planes[row * 16 + x] == plain[row * 16 + (is ? 15 - x : x)]);
        assert_int_equal(dit_picture_draw(&image, &o, 1, position, false, planes, &error), DIT_OK);
        assert_memory_equal(planes, plain, 3 * 16 * 16 * sizeof *plain);
    }
    assert_in_range(mirrored, 160, 240); // 200, four standard deviations
    dit_image_free(&image);
}

static void everything_stays_in_range_and_repeats(void **state)
{
    (void)state;
    static float planes[MOST], again[MOST];
    dit_error error = {0};
    dit_picture_options o = {
        .size = 32,
        .channels = 3,
        .background = {255, 0, 128},
        .augmentation = {true, 0.5, 0.5, 0.2, 0.3, 0.5, 0.5, 0.5},
    };
    dit_image image = waves(100, 90, 3);
    assert_int_equal(dit_picture_prepare(&image, &o, &error), DIT_OK);
    assert_int_equal(image.width, 64); // twice the size, for the windows
    int different = 0;
    for (uint64_t position = 0; position < 50; position++) {
        drawn(&image, &o, position, planes);
        for (int i = 0; i < 3 * 32 * 32; i++)
            assert_true(planes[i] >= -1 && planes[i] <= 1);
        different += memcmp(planes, again, sizeof again) != 0;
        drawn(&image, &o, position, again);
        assert_memory_equal(planes, again, sizeof again);
    }
    assert_int_equal(different, 50);
    dit_image_free(&image);
}

static void impossible_options_are_named(void **state)
{
    (void)state;
    const dit_picture_options good = {.size = 8, .channels = 3};
    dit_picture_options bad[4] = {good, good, good, good};
    static const char *const names[] = {"size", "channels", "crop", "stretch"};
    bad[0].size = 0;
    bad[1].channels = 4;
    bad[2].augmentation.crop = 1;
    bad[3].augmentation.stretch = NAN;
    for (int i = 0; i < 4; i++) {
        dit_error error = {0};
        dit_picture_options_check(&bad[i], &error);
        assert_refused(&error, DIT_BAD_ARGUMENT, names[i]);
    }
    dit_error error = {0};
    assert_int_equal(dit_picture_options_check(&good, &error), DIT_OK);
}

static void captions_are_drawn_from_the_texts(void **state)
{
    (void)state;
    static const char *const words[] = {"pet", "face", "whiskers"};
    const dit_sample cat = {.text = "cat face", .keywords = words, .keyword_count = 3};
    char text[DIT_CAPTION_ROOM], again[DIT_CAPTION_ROOM];
    int proper = 0, with_keywords = 0, keywords_only = 0;
    for (uint64_t position = 0; position < 1000; position++) {
        dit_caption_draw(&cat, 0.5, 3, position, text);
        assert_string_equal(text, dit_caption_draw(&cat, 0.5, 3, position, again));
        if (!strcmp(text, "cat face"))
            proper++;
        else if (!strncmp(text, "cat face, ", 10))
            with_keywords++;
        else
            keywords_only++;
        for (int i = 0; i < 3; i++) { // no keyword twice
            const char *first = strstr(text + (strncmp(text, "cat face", 8) ? 0 : 8), words[i]);
            assert_true(!first || !strstr(first + 1, words[i]));
        }
        assert_string_equal(dit_caption_draw(&cat, 0, 3, position, text), "cat face");
    }
    assert_in_range(proper, 440, 560);
    assert_in_range(with_keywords, 190, 310);
    assert_in_range(keywords_only, 190, 310);
    assert_string_equal(dit_caption_draw(&(dit_sample){.label = 1}, 0.5, 3, 1, text), "");
}

static void long_captions_end_between_characters(void **state)
{
    (void)state;
    char text[DIT_CAPTION_ROOM], longest[3 * 1000 + 2] = "x"; // one byte, then characters of three
    for (int i = 0; i < 1000; i++)
        strcat(longest, "\xe2\x82\xac");
    dit_caption_draw(&(dit_sample){.text = longest}, 0, 0, 0, text);
    assert_int_equal(strlen(text), 1 + (DIT_CAPTION_ROOM - 2) / 3 * 3);
    assert_memory_equal(text, longest, strlen(text));
}

static void captions_with_a_side_forbid_mirroring(void **state)
{
    (void)state;
    static const char *const arrow[] = {"Leftwards"};
    assert_true(dit_caption_allows_mirror(&(dit_sample){.text = "bright cleft copyright"}));
    assert_true(dit_caption_allows_mirror(&(dit_sample){.text = NULL}));
    assert_false(dit_caption_allows_mirror(&(dit_sample){.text = "index pointing right"}));
    assert_false(dit_caption_allows_mirror(&(dit_sample){.text = "Left-facing fist"}));
    assert_false(dit_caption_allows_mirror(&(dit_sample){.text = "hand", .keywords = arrow, .keyword_count = 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transparency_shows_the_background),
        cmocka_unit_test(pictures_become_square_as_asked),
        cmocka_unit_test(a_window_on_all_is_a_resize),
        cmocka_unit_test(windows_see_background_beyond_the_picture),
        cmocka_unit_test(half_of_the_pictures_are_mirrored),
        cmocka_unit_test(everything_stays_in_range_and_repeats),
        cmocka_unit_test(impossible_options_are_named),
        cmocka_unit_test(captions_are_drawn_from_the_texts),
        cmocka_unit_test(long_captions_end_between_characters),
        cmocka_unit_test(captions_with_a_side_forbid_mirroring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
