// tests/media/image_test.c: every kind of PNG, JPEG and WebP decodes to what it should; broken and hostile ones do not.
#include "io/safetensors.h"
#include "io/support.h"
#include "media/decode.h"
#include "media/image.h"
// jpeglib.h needs stdio.h before it.
#include <jpeglib.h>
#include <math.h>

#define FIXTURES DIT_SOURCE_DIR "/tests/fixtures/pictures/"

static dit_safetensors *opened(const char *path)
{
    dit_safetensors *set = NULL;
    dit_error error = {0};
    dit_safetensors_open(&set, path, &error);
    assert_fine(error);
    return set;
}

static const char *fixture_path(const char *name)
{
    static char path[600];
    snprintf(path, sizeof path, FIXTURES "%s", name);
    return path;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

static void pictures_decode_to_what_they_should(void **state)
{
    (void)state;
    dit_safetensors *expected = opened(fixture_path("expected.safetensors"));
    size_t count = dit_safetensors_count(expected);
    assert_true(count > 40);
    for (size_t i = 0; i < count; i++) {
        const char *name = dit_safetensors_at(expected, i)->name;
        dit_array array; // (height, width, channels)
        dit_error error = {0};
        dit_image image;
        dit_safetensors_array(expected, i, &array, &error);
        dit_image_load(&image, fixture_path(name), 0, &error);
        assert_fine(error);
        if (image.height != array.shape.dim[0] || image.width != array.shape.dim[1] ||
            image.channels != array.shape.dim[2])
            print_error("%s: %d x %d x %d\n", name, image.height, image.width, image.channels);
        assert_int_equal(image.height, array.shape.dim[0]);
        assert_int_equal(image.width, array.shape.dim[1]);
        assert_int_equal(image.channels, array.shape.dim[2]);
        const uint8_t *want = array.data;
        // PNG and lossless WebP are exact. The lossy decoders of Debian and Pillow are different versions of the same
        // libraries, exact as well so far; one step is allowed for arithmetic that a newer version may round otherwise.
        int allowed = ends_with(name, ".jpg") || !strncmp(name, "lossy", 5) ? 1 : 0, worst = 0;
        for (size_t j = 0; j < dit_array_bytes(&array); j++)
            worst = abs(image.pixels[j] - want[j]) > worst ? abs(image.pixels[j] - want[j]) : worst;
        if (worst > allowed)
            print_error("%s: differs by %d\n", name, worst);
        assert_true(worst <= allowed);
        dit_image_free(&image);
    }
    dit_safetensors_close(expected);
}

static void channels_convert_as_asked(void **state)
{
    (void)state;
    dit_safetensors *resized = opened(fixture_path("resized.safetensors"));
    dit_array rgb, grey;
    dit_error error = {0};
    dit_safetensors_get(resized, "source.RGB", &rgb, &error);
    dit_safetensors_get(resized, "grey_of_rgb", &grey, &error);
    dit_image image;
    dit_image_alloc(&image, 23, 17, 3, &error);
    assert_fine(error);
    memcpy(image.pixels, rgb.data, 23 * 17 * 3);
    dit_image_convert(&image, 4, &error);
    assert_int_equal(image.channels, 4);
    for (int i = 0; i < 23 * 17; i++) {
        assert_memory_equal(image.pixels + 4 * i, (uint8_t *)rgb.data + 3 * i, 3);
        assert_int_equal(image.pixels[4 * i + 3], 255);
    }
    dit_image_convert(&image, 3, &error);
    assert_memory_equal(image.pixels, rgb.data, 23 * 17 * 3);
    dit_image_convert(&image, 1, &error);
    assert_memory_equal(image.pixels, grey.data, 23 * 17);
    dit_image_convert(&image, 3, &error);
    assert_fine(error);
    for (int i = 0; i < 23 * 17; i++)
        for (int c = 0; c < 3; c++)
            assert_int_equal(image.pixels[3 * i + c], ((uint8_t *)grey.data)[i]);
    dit_image_convert(&image, 2, &error);
    assert_refused(&error, DIT_BAD_ARGUMENT, "2 channels");
    dit_image_free(&image);
    error = (dit_error){0};
    dit_image_load(&image, fixture_path("rgba-8.png"), 3, &error);
    assert_fine(error);
    assert_int_equal(image.channels, 3);
    dit_image_free(&image);
    dit_safetensors_close(resized);
}

static void transparency_blends_with_a_colour(void **state)
{
    (void)state;
    dit_image image;
    dit_error error = {0};
    dit_image_alloc(&image, 256, 1, 4, &error);
    for (int i = 0; i < 256; i++)
        memcpy(image.pixels + 4 * i, (uint8_t[]){200, 0, 255, (uint8_t)i}, 4);
    dit_image_flatten(&image, (uint8_t[]){255, 100, 0}, &error);
    assert_fine(error);
    assert_int_equal(image.channels, 3);
    for (int i = 0; i < 256; i++) {
        assert_int_equal(image.pixels[3 * i], lround((200.0 * i + 255.0 * (255 - i)) / 255));
        assert_int_equal(image.pixels[3 * i + 1], lround(100.0 * (255 - i) / 255));
        assert_int_equal(image.pixels[3 * i + 2], i);
    }
    uint8_t *before = image.pixels;
    dit_image_flatten(&image, (uint8_t[]){1, 2, 3}, &error);
    assert_ptr_equal(image.pixels, before);
    dit_image_free(&image);
}

static void resizing_equals_pillow_to_the_bit(void **state)
{
    (void)state;
    static const char *const filters[] = {"nearest", "box", "bilinear", "bicubic", "lanczos"};
    static const char *const modes[] = {"", "L", "", "RGB", "RGBA"};
    static const int sizes[][2] = {{7, 5}, {40, 31}, {23, 9}, {11, 17}, {1, 1}, {64, 3}};
    dit_safetensors *resized = opened(fixture_path("resized.safetensors"));
    dit_error error = {0};
    for (int channels = 1; channels <= 4; channels++) {
        if (channels == 2)
            continue;
        char name[64];
        dit_array source, want;
        snprintf(name, sizeof name, "source.%s", modes[channels]);
        dit_safetensors_get(resized, name, &source, &error);
        for (int f = 0; f < 5; f++)
            for (int s = 0; s < 6; s++) {
                dit_image image;
                dit_image_alloc(&image, 23, 17, channels, &error);
                memcpy(image.pixels, source.data, dit_array_bytes(&source));
                dit_image_resize(&image, sizes[s][0], sizes[s][1], (dit_filter)f, &error);
                snprintf(name, sizeof name, "%s.%s.%dx%d", modes[channels], filters[f], sizes[s][0], sizes[s][1]);
                dit_safetensors_get(resized, name, &want, &error);
                assert_fine(error);
                assert_int_equal(image.width, sizes[s][0]);
                assert_int_equal(image.height, sizes[s][1]);
                if (memcmp(image.pixels, want.data, dit_array_bytes(&want)))
                    print_error("%s differs\n", name);
                assert_memory_equal(image.pixels, want.data, dit_array_bytes(&want));
                dit_image_free(&image);
            }
    }
    dit_safetensors_close(resized);
}

// A picture whose pixel at (x, y) is 16 y + x.
static dit_image numbered(int width, int height)
{
    dit_image image;
    dit_error error = {0};
    dit_image_alloc(&image, width, height, 1, &error);
    assert_fine(error);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            image.pixels[y * width + x] = (uint8_t)(16 * y + x);
    return image;
}

static void rectangles_are_cut_out(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_image image = numbered(6, 4);
    static const int outside[][4] = {{-1, 0, 2, 2}, {0, -1, 2, 2}, {5, 0, 2, 2}, {0, 3, 2, 2},
                                     {0, 0, 0, 1},  {0, 0, 1, 0},  {0, 0, 7, 1}, {2147483647, 0, 2, 2}};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        error = (dit_error){0};
        dit_image_crop(&image, outside[i][0], outside[i][1], outside[i][2], outside[i][3], &error);
        assert_refused(&error, DIT_BAD_ARGUMENT, "do not lie in a picture of 6 x 4");
    }
    error = (dit_error){0};
    dit_image_crop(&image, 2, 1, 3, 2, &error);
    assert_memory_equal(image.pixels, ((uint8_t[]){18, 19, 20, 34, 35, 36}), 6);
    dit_image_mirror(&image);
    assert_memory_equal(image.pixels, ((uint8_t[]){20, 19, 18, 36, 35, 34}), 6);
    dit_image_free(&image);
    image = numbered(8, 4);
    dit_image_cover(&image, 2, 2, DIT_FILTER_BOX, &error); // 4 x 2 blocks of 2 x 2, of which the middle two columns
    assert_fine(error);
    assert_memory_equal(image.pixels,
                        ((uint8_t[]){(2 + 3 + 18 + 19 + 2) / 4, (4 + 5 + 20 + 21 + 2) / 4, (34 + 35 + 50 + 51 + 2) / 4,
                                     (36 + 37 + 52 + 53 + 2) / 4}),
                        4);
    dit_image_free(&image);
    image = numbered(1, 4);
    dit_image_cover(&image, 64, 64, DIT_FILTER_LANCZOS, &error);
    assert_fine(error);
    assert_int_equal(image.width, 64);
    assert_int_equal(image.height, 64);
    dit_image_resize(&image, 0, 5, DIT_FILTER_BOX, &error);
    assert_refused(&error, DIT_BAD_ARGUMENT, "0 x 64");
    dit_image_free(&image);
}

static void planes_round_trip(void **state)
{
    (void)state;
    dit_error error = {0};
    dit_image image, back;
    dit_image_alloc(&image, 256, 1, 3, &error);
    dit_image_alloc(&back, 256, 1, 3, &error);
    assert_fine(error);
    for (int i = 0; i < 768; i++)
        image.pixels[i] = (uint8_t)(i / 3 + i % 3);
    float planes[768];
    dit_image_to_planes(&image, planes);
    assert_true(planes[0] == -1.0f && planes[255] == 1.0f && planes[256] == 2 * (1.0f / 255) - 1);
    dit_image_from_planes(&back, planes);
    assert_memory_equal(back.pixels, image.pixels, 768);
    planes[0] = NAN, planes[1] = -7, planes[2] = 3, planes[3] = INFINITY, planes[4] = -INFINITY;
    dit_image_from_planes(&back, planes);
    static const uint8_t clamped[] = {0, 0, 255, 255, 0};
    for (int i = 0; i < 5; i++)
        assert_int_equal(back.pixels[3 * i], clamped[i]);
    dit_image_free(&image);
    dit_image_free(&back);
}

static void broken_files_are_refused_and_flipped_bits_do_no_harm(void **state)
{
    (void)state;
    static const char *const names[] = {
        "rgb-8.png",
        "rgba-16-interlaced.png",
        "palette-4-transparent-interlaced.png",
        "texts.png",
        "grey.jpg",
        "cmyk.jpg",
        "progressive.jpg",
        "orientation-6.jpg",
        "lossy.webp",
        "lossless-alpha.webp",
        "lossy-alpha.webp",
        "animated.webp",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size;
        char *bytes = read_file(fixture_path(names[i]), &size);
        dit_image image;
        dit_error error;
        for (size_t cut = 0; cut < size; cut++) {
            char *copy = malloc(cut + 1); // so that a sanitizer sees a read beyond the end
            memcpy(copy, bytes, cut);
            error = (dit_error){0};
            dit_status status = dit_image_decode(&image, names[i], copy, cut, 0, &error);
            free(copy);
            if (!status)
                print_error("%s decodes when cut to %zu of %zu bytes\n", names[i], cut, size);
            assert_refused(&error, cut < 12 && status == DIT_UNSUPPORTED ? DIT_UNSUPPORTED : DIT_BAD_FILE, names[i]);
        }
        for (size_t bit = 0; bit < 8 * size; bit += 3) {
            bytes[bit / 8] ^= (char)(1 << bit % 8);
            error = (dit_error){0};
            if (!dit_image_decode(&image, names[i], bytes, size, 0, &error))
                dit_image_free(&image);
            bytes[bit / 8] ^= (char)(1 << bit % 8);
        }
        free(bytes);
    }
}

static void lying_sizes_are_refused_before_memory_is_taken(void **state)
{
    (void)state;
    size_t png_size, jpeg_size, webp_size;
    uint8_t *png = (uint8_t *)read_file(fixture_path("rgb-8.png"), &png_size);
    uint8_t *jpeg = (uint8_t *)read_file(fixture_path("grey.jpg"), &jpeg_size);
    uint8_t *webp = (uint8_t *)read_file(fixture_path("lossless.webp"), &webp_size);
    dit_image image;
    dit_error error;
    static const struct {
        unsigned width, height;
        const char *word;
    } claims[] = {
        {65500, 65500, "at most 134217728 pixels"},
        {60000, 2000, "more than its"},
        {11600, 11500, "more than its"},
        {65500, 2050, "at most 134217728 pixels"},
    };
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++) {
        size_t frame = 2; // the start of frame: marker ff c0, length, precision, height, width
        while (!(jpeg[frame] == 0xff && jpeg[frame + 1] == 0xc0))
            frame++;
        memcpy(jpeg + frame + 5,
               (uint8_t[]){(uint8_t)(claims[i].height >> 8), (uint8_t)claims[i].height, (uint8_t)(claims[i].width >> 8),
                           (uint8_t)claims[i].width},
               4);
        error = (dit_error){0};
        dit_image_decode(&image, "lying.jpg", jpeg, jpeg_size, 0, &error);
        assert_refused(&error, DIT_BAD_FILE, "lying.jpg: claims", claims[i].word);
        // The PNG's header is guarded by a checksum, which a liar would make right.
        memcpy(png + 16,
               (uint8_t[]){0, 0, (uint8_t)(claims[i].width >> 8), (uint8_t)claims[i].width, 0, 0,
                           (uint8_t)(claims[i].height >> 8), (uint8_t)claims[i].height},
               8);
        uint32_t crc = 0xffffffff;
        for (int j = 12; j < 29; j++) {
            crc ^= png[j];
            for (int k = 0; k < 8; k++)
                crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        }
        crc = ~crc;
        memcpy(png + 29, (uint8_t[]){(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8), (uint8_t)crc}, 4);
        error = (dit_error){0};
        dit_image_decode(&image, "lying.png", png, png_size, 0, &error);
        assert_refused(&error, DIT_BAD_FILE, "lying.png: claims", claims[i].word);
    }
    // WebP lossless: 14 bits of width - 1, then 14 of height - 1, after the signature byte at 20.
    uint32_t size = 16382 | 16382u << 14 | (uint32_t)(webp[24] & 0xf0) << 24;
    memcpy(webp + 21, (uint8_t[]){(uint8_t)size, (uint8_t)(size >> 8), (uint8_t)(size >> 16), (uint8_t)(size >> 24)},
           4);
    error = (dit_error){0};
    dit_image_decode(&image, "lying.webp", webp, webp_size, 0, &error);
    assert_refused(&error, DIT_BAD_FILE, "lying.webp", "16383 x 16383");
    free(png);
    free(jpeg);
    free(webp);
}

static void what_is_no_picture_is_refused(void **state)
{
    (void)state;
    dit_image image;
    dit_error error = {0};
    dit_image_decode(&image, "x.gif", "GIF89a......", 12, 0, &error);
    assert_refused(&error, DIT_UNSUPPORTED, "x.gif: is no PNG, JPEG or WebP picture");
    error = (dit_error){0};
    dit_image_decode(&image, "empty", "", 0, 0, &error);
    assert_refused(&error, DIT_UNSUPPORTED, "empty: is no PNG");
    error = (dit_error){0};
    dit_image_load(&image, "/dev/zero", 0, &error);
    assert_refused(&error, DIT_NO_FILE, "/dev/zero");
    static const int sizes[][3] = {{0, 1, 3},     {1, 0, 3},         {-1, 1, 3}, {65536, 1, 3},
                                   {1, 65536, 1}, {65535, 65535, 1}, {1, 1, 2}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        error = (dit_error){0};
        dit_image_alloc(&image, sizes[i][0], sizes[i][1], sizes[i][2], &error);
        assert_refused(&error, DIT_BAD_ARGUMENT, "a picture of");
    }
}

// Encodes CMYK samples with libjpeg, in a colour space that Pillow does not write.
static uint8_t *encode_cmyk(const uint8_t *cmyk, int width, int height, J_COLOR_SPACE space, bool adobe, size_t *size)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long length = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &length);
    jpeg.image_width = (JDIMENSION)width;
    jpeg.image_height = (JDIMENSION)height;
    jpeg.input_components = 4;
    jpeg.in_color_space = JCS_CMYK;
    jpeg_set_defaults(&jpeg);
    jpeg_set_colorspace(&jpeg, space);
    jpeg.write_Adobe_marker = adobe;
    jpeg_set_quality(&jpeg, 100, TRUE);
    for (int i = 0; i < 4; i++)
        jpeg.comp_info[i].h_samp_factor = jpeg.comp_info[i].v_samp_factor = 1;
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < height; y++) {
        JSAMPROW row = (JSAMPROW)(cmyk + (size_t)(4 * width * y));
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    *size = length;
    return bytes;
}

static void inks_become_colours(void **state)
{
    (void)state;
    enum { W = 16, H = 8 };
    uint8_t cmyk[W * H * 4];
    for (int i = 0; i < W * H; i++)
        for (int c = 0; c < 4; c++)
            cmyk[4 * i + c] = (uint8_t)(128 + 100 * sin(0.2 * (i % W) + 0.3 * (i / W) + c));
    for (int kind = 0; kind < 3; kind++) {
        bool adobe = kind > 0; // with Adobe's marker the samples are inverted
        size_t size;
        uint8_t *bytes = encode_cmyk(cmyk, W, H, kind == 2 ? JCS_YCCK : JCS_CMYK, adobe, &size);
        dit_image image;
        dit_error error = {0};
        dit_image_decode(&image, "ink.jpg", bytes, size, 0, &error);
        assert_fine(error);
        assert_int_equal(image.channels, 3);
        for (int i = 0; i < W * H; i++)
            for (int c = 0; c < 3; c++) {
                double ink = cmyk[4 * i + c] / 255.0, black = cmyk[4 * i + 3] / 255.0;
                double want = 255 * (adobe ? ink * black : (1 - ink) * (1 - black));
                assert_true(fabs(image.pixels[3 * i + c] - want) < 6); // JPEG at quality 100
            }
        dit_image_free(&image);
        free(bytes);
    }
}

static void orientation_tags_are_read_and_broken_ones_ignored(void **state)
{
    (void)state;
    uint8_t little[] = "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    uint8_t big[] = "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0\0\0\0\0";
    assert_int_equal(dit_exif_orientation(little, sizeof little - 1), 6);
    assert_int_equal(dit_exif_orientation(big, sizeof big - 1), 8);
    for (size_t cut = 0; cut < 22; cut++)
        assert_int_equal(dit_exif_orientation(little, cut), 1);
    little[18] = 9;
    assert_int_equal(dit_exif_orientation(little, sizeof little - 1), 1);
    memset(little + 4, 0xff, 4);
    assert_int_equal(dit_exif_orientation(little, sizeof little - 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_decode_to_what_they_should),
        cmocka_unit_test(channels_convert_as_asked),
        cmocka_unit_test(transparency_blends_with_a_colour),
        cmocka_unit_test(resizing_equals_pillow_to_the_bit),
        cmocka_unit_test(rectangles_are_cut_out),
        cmocka_unit_test(planes_round_trip),
        cmocka_unit_test(broken_files_are_refused_and_flipped_bits_do_no_harm),
        cmocka_unit_test(lying_sizes_are_refused_before_memory_is_taken),
        cmocka_unit_test(what_is_no_picture_is_refused),
        cmocka_unit_test(inks_become_colours),
        cmocka_unit_test(orientation_tags_are_read_and_broken_ones_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
