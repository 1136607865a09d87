// tests/media/png_test.c: written PNG files read back pixel for pixel and text for text, and appear whole or not at
// all.
#include "io/support.h"
#include "media/image.h"
#include "media/png.h"
#include <sys/resource.h>

static dit_image noise(int width, int height, int channels)
{
    dit_image image;
    dit_error error = {0};
    dit_image_alloc(&image, width, height, channels, &error);
    assert_fine(error);
    unsigned state = 1;
    for (int i = 0; i < width * height * channels; i++)
        image.pixels[i] = (uint8_t)((state = state * 1664525 + 1013904223) >> 24);
    return image;
}

static void pixels_round_trip(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    static const int sizes[][2] = {{1, 1}, {3, 2}, {17, 31}, {200, 1}, {1, 200}};
    for (int channels = 1; channels <= 4; channels += channels == 1 ? 2 : 1)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            dit_image image = noise(sizes[i][0], sizes[i][1], channels), back;
            dit_error error = {0};
            dit_png_save(scratch_path(&s, "out.png"), &image, NULL, 0, &error);
            dit_image_load(&back, s.path, 0, &error);
            assert_fine(error);
            assert_int_equal(back.width, image.width);
            assert_int_equal(back.height, image.height);
            assert_int_equal(back.channels, channels);
            assert_memory_equal(back.pixels, image.pixels, (size_t)(image.width * image.height * channels));
            dit_image_free(&image);
            dit_image_free(&back);
        }
    scratch_remove(&s);
}

static void texts_round_trip(void **state)
{
    (void)state;
    static char long_text[100000];
    memset(long_text, 'x', sizeof long_text - 1);
    const dit_text_pair texts[] = {
        {"parameters", "a cat, oil on canvas\nNegative prompt: blurry\nSteps: 20, Seed: 42, Size: 64x64"},
        {"prompt", "eine Katze \xc3\xb6l \xe7\x8c\xab \xf0\x9f\x90\x88"},
        {"seed", "18446744073709551615"},
        {"model", ""},
        {"recipe", long_text},
    };
    dit_image image = noise(5, 4, 3);
    dit_error error = {0};
    unsigned char *bytes;
    size_t size;
    dit_png_encode(&image, texts, 5, &bytes, &size, &error);
    assert_fine(error);
    dit_png_texts *read;
    dit_png_decode_texts(&read, "out.png", bytes, size, &error);
    assert_fine(error);
    assert_int_equal(dit_png_texts_count(read), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(dit_png_texts_at(read, i).key, texts[i].key);
        assert_string_equal(dit_png_texts_at(read, i).value, texts[i].value);
        assert_string_equal(dit_png_texts_find(read, texts[i].key), texts[i].value);
    }
    assert_null(dit_png_texts_find(read, "absent"));
    dit_png_texts_free(read);
    // ASCII goes into tEXt, which every tool reads.
    assert_memory_equal(bytes + 8 + 25 + 4, "tEXtparameters\0a cat, oil", 25);
    free(bytes);
    dit_image_free(&image);
}

static void texts_of_other_programs_are_read(void **state)
{
    (void)state;
    dit_png_texts *texts;
    dit_error error = {0};
    dit_png_read_texts(&texts, DIT_SOURCE_DIR "/tests/fixtures/pictures/texts.png", &error);
    assert_fine(error);
    static const char *const expected[][2] = {{"Title", "caf\xc3\xa9"},
                                              {"parameters", "a cat\nSteps: 20"},
                                              {"prompt", "ein K\xc3\xa4tzchen \xe7\x8c\xab"},
                                              {"packed", "gr\xc3\xb6\xc3\x9f"
                                                         "er"},
                                              {"Comment", "after the pixels"}};
    assert_int_equal(dit_png_texts_count(texts), 5);
    for (int i = 0; i < 5; i++)
        assert_string_equal(dit_png_texts_find(texts, expected[i][0]), expected[i][1]);
    dit_png_texts_free(texts);
    dit_png_read_texts(&texts, DIT_SOURCE_DIR "/tests/fixtures/pictures/grey.jpg", &error);
    assert_refused(&error, DIT_BAD_FILE, "grey.jpg", "broken PNG");
    size_t size;
    char *bytes = read_file(DIT_SOURCE_DIR "/tests/fixtures/pictures/texts.png", &size);
    for (size_t cut = 0; cut < size; cut++) {
        error = (dit_error){0};
        dit_png_decode_texts(&texts, "cut.png", bytes, cut, &error);
        assert_refused(&error, DIT_BAD_FILE, "cut.png: broken PNG");
    }
    // A chunk that claims 1.6 GB, which libpng would take from memory first.
    for (size_t chunk = 33; chunk + 12 < size;) {
        const unsigned char *c = (unsigned char *)bytes + chunk;
        size_t length = (size_t)c[0] << 24 | (size_t)c[1] << 16 | (size_t)c[2] << 8 | c[3];
        char first = bytes[chunk];
        bytes[chunk] = 0x61;
        error = (dit_error){0};
        dit_png_decode_texts(&texts, "lying.png", bytes, size, &error);
        assert_refused(&error, DIT_BAD_FILE, "lying.png: broken PNG: the file is cut short");
        bytes[chunk] = first;
        chunk += 12 + length;
    }
    free(bytes);
}

static void impossible_texts_and_pictures_are_refused(void **state)
{
    (void)state;
    scratch s;
    scratch_make(&s);
    dit_image image = noise(3, 3, 3);
    char long_key[81];
    memset(long_key, 'k', 80);
    long_key[80] = 0;
    const dit_text_pair texts[] = {{"", "x"},    {long_key, "x"},     {" k", "x"},
                                   {"k ", "x"},  {"a  b", "x"},       {"k\xc3\xa9", "x"},
                                   {"k\n", "x"}, {"key", "\xff\xfe"}, {"key", "\xc3"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        dit_error error = {0};
        dit_png_save(scratch_path(&s, "out.png"), &image, &texts[i], 1, &error);
        assert_refused(&error, DIT_BAD_ARGUMENT, i < 7 ? "cannot be the key" : "is not UTF-8");
    }
    assert_int_equal(scratch_files(&s), 0);
    dit_image bad = image;
    dit_error error = {0};
    bad.channels = 2;
    dit_png_save(scratch_path(&s, "out.png"), &bad, NULL, 0, &error);
    assert_refused(&error, DIT_BAD_ARGUMENT, "2 channels");
    error = (dit_error){0};
    bad = (dit_image){0};
    dit_png_save(scratch_path(&s, "out.png"), &bad, NULL, 0, &error);
    assert_refused(&error, DIT_BAD_ARGUMENT, "0 x 0");
    error = (dit_error){0};
    dit_png_save(scratch_path(&s, "no/folder/out.png"), &image, NULL, 0, &error);
    assert_refused(&error, DIT_NO_FILE, "no/folder/out.png");
    dit_image_free(&image);
    // No room: the old picture stays.
    image = noise(300, 300, 3);
    write_file(scratch_path(&s, "out.png"), "old", 3);
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){1000, before.rlim_max};
    error = (dit_error){0};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    dit_png_save(s.path, &image, NULL, 0, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_refused(&error, DIT_NO_MEMORY, "out.png: cannot write");
    assert_int_equal(scratch_files(&s), 1);
    size_t size;
    char *old = read_file(s.path, &size);
    assert_string_equal(old, "old");
    free(old);
    dit_image_free(&image);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_round_trip),
        cmocka_unit_test(texts_round_trip),
        cmocka_unit_test(texts_of_other_programs_are_read),
        cmocka_unit_test(impossible_texts_and_pictures_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
