// media/image.c: taking memory for pictures, and reading files of any known format.
#include "media/image.h"
#include "io/file.h"
#include "media/decode.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_size(int64_t width, int64_t height)
{
    return width >= 1 && height >= 1 && width <= DIT_IMAGE_LONGEST_SIDE && height <= DIT_IMAGE_LONGEST_SIDE &&
           width * height <= DIT_IMAGE_MOST_PIXELS;
}

dit_status dit_image_alloc(dit_image *image, int width, int height, int channels, dit_error *error)
{
    if (!is_size(width, height))
        return dit_fail(error, DIT_BAD_ARGUMENT, "a picture of %d x %d; sides are 1 to %d, and at most %d pixels",
                        width, height, DIT_IMAGE_LONGEST_SIDE, DIT_IMAGE_MOST_PIXELS);
    if (channels != 1 && channels != 3 && channels != 4)
        return dit_fail(error, DIT_BAD_ARGUMENT, "a picture of %d channels; it has 1, 3 or 4", channels);
    uint8_t *pixels = calloc((size_t)width * (size_t)height, (size_t)channels);
    if (!pixels)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for a picture of %d x %d", width, height);
    *image = (dit_image){width, height, channels, pixels};
    return DIT_OK;
}

dit_status dit_image_check_claim(const char *name, uint64_t width, uint64_t height, size_t size, dit_error *error)
{
    if (width > DIT_IMAGE_LONGEST_SIDE || height > DIT_IMAGE_LONGEST_SIDE || !is_size((int64_t)width, (int64_t)height))
        return dit_fail(error, DIT_BAD_FILE, "%s: claims %llu x %llu pixels; sides are 1 to %d, and at most %d pixels",
                        name, (unsigned long long)width, (unsigned long long)height, DIT_IMAGE_LONGEST_SIDE,
                        DIT_IMAGE_MOST_PIXELS);
    // The densest real case is a blank one-bit PNG: eight pixels a byte, deflated 1032 to 1.
    if (width * height > (1u << 24) + 8256 * (uint64_t)size)
        return dit_fail(error, DIT_BAD_FILE, "%s: claims %llu x %llu pixels, more than its %zu bytes can hold", name,
                        (unsigned long long)width, (unsigned long long)height, size);
    return DIT_OK;
}

static dit_image_decoder *decoder_of(const uint8_t *bytes, size_t size)
{
    if (size >= 8 && !memcmp(bytes, "\x89PNG\r\n\x1a\n", 8))
        return dit_png_decode;
    if (size >= 3 && !memcmp(bytes, "\xff\xd8\xff", 3))
        return dit_jpeg_decode;
    if (size >= 12 && !memcmp(bytes, "RIFF", 4) && !memcmp(bytes + 8, "WEBP", 4))
        return dit_webp_decode;
    return NULL;
}

dit_status dit_image_decode(dit_image *image, const char *name, const void *bytes, size_t size, int channels,
                            dit_error *error)
{
    dit_image_decoder *decoder = decoder_of(bytes, size);
    if (!decoder)
        return dit_fail(error, DIT_UNSUPPORTED, "%s: is no PNG, JPEG or WebP picture", name);
    dit_image decoded = {0};
    int orientation = 1;
    dit_status status = decoder(&decoded, &orientation, name, bytes, size, error);
    if (!status && channels)
        status = dit_image_convert(&decoded, channels, error);
    if (!status)
        status = dit_image_orient(&decoded, orientation, error);
    if (status)
        dit_image_free(&decoded);
    else
        *image = decoded;
    return status;
}

dit_status dit_image_load(dit_image *image, const char *path, int channels, dit_error *error)
{
    char *bytes;
    size_t size;
    dit_status status = dit_file_read(path, DIT_IMAGE_LARGEST_FILE, &bytes, &size, error);
    if (status)
        return status;
    status = dit_image_decode(image, path, bytes, size, channels, error);
    free(bytes);
    return status;
}

void dit_image_to_planes(const dit_image *image, float *planes)
{
    size_t pixels = (size_t)image->width * (size_t)image->height, channels = (size_t)image->channels;
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < pixels; i++)
            planes[c * pixels + i] = 2 * ((float)image->pixels[i * channels + c] / 255) - 1;
}

void dit_image_from_planes(dit_image *image, const float *planes)
{
    size_t pixels = (size_t)image->width * (size_t)image->height, channels = (size_t)image->channels;
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < pixels; i++) {
            float x = planes[c * pixels + i] / 2 + 0.5f;
            x = x > 0 ? x : 0; // NaN too
            image->pixels[i * channels + c] = (uint8_t)lrintf(255 * (x < 1 ? x : 1));
        }
}
