// media/image_edit.c: channels, rectangles and directions of pictures.
#include "media/image.h"
#include "media/pixel.h"
#include <stdlib.h>
#include <string.h>

static void convert_pixel(const uint8_t *from, int from_channels, uint8_t *to, int to_channels)
{
    uint8_t grey = from_channels == 1
                       ? from[0]
                       : (uint8_t)((19595u * from[0] + 38470u * from[1] + 7471u * from[2] + 32768u) >> 16);
    if (to_channels == 1) {
        to[0] = grey;
        return;
    }
    for (int c = 0; c < 3; c++)
        to[c] = from_channels == 1 ? grey : from[c];
    if (to_channels == 4)
        to[3] = from_channels == 4 ? from[3] : 255;
}

dit_status dit_image_convert(dit_image *image, int channels, dit_error *error)
{
    if (channels == image->channels)
        return DIT_OK;
    dit_image to;
    dit_status status = dit_image_alloc(&to, image->width, image->height, channels, error);
    if (status)
        return status;
    size_t pixels = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < pixels; i++)
        convert_pixel(image->pixels + i * (size_t)image->channels, image->channels, to.pixels + i * (size_t)channels,
                      channels);
    dit_image_free(image);
    *image = to;
    return DIT_OK;
}

dit_status dit_image_flatten(dit_image *image, const uint8_t background[3], dit_error *error)
{
    if (image->channels != 4)
        return DIT_OK;
    dit_image to;
    dit_status status = dit_image_alloc(&to, image->width, image->height, 3, error);
    if (status)
        return status;
    size_t pixels = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *p = image->pixels + 4 * i;
        for (int c = 0; c < 3; c++)
            to.pixels[3 * i + (size_t)c] =
                dit_divide_255((unsigned)p[c] * p[3] + (unsigned)background[c] * (255u - p[3]));
    }
    dit_image_free(image);
    *image = to;
    return DIT_OK;
}

dit_status dit_image_crop(dit_image *image, int x, int y, int width, int height, dit_error *error)
{
    if (x < 0 || y < 0 || width < 1 || height < 1 || width > image->width - x || height > image->height - y)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%d x %d pixels at (%d, %d) do not lie in a picture of %d x %d", width,
                        height, x, y, image->width, image->height);
    if (width == image->width && height == image->height)
        return DIT_OK;
    dit_image to;
    dit_status status = dit_image_alloc(&to, width, height, image->channels, error);
    if (status)
        return status;
    size_t row = (size_t)width * (size_t)image->channels, old_row = (size_t)image->width * (size_t)image->channels;
    for (int i = 0; i < height; i++)
        memcpy(to.pixels + (size_t)i * row,
               image->pixels + (size_t)(y + i) * old_row + (size_t)x * (size_t)image->channels, row);
    dit_image_free(image);
    *image = to;
    return DIT_OK;
}

void dit_image_mirror(dit_image *image)
{
    size_t channels = (size_t)image->channels, width = (size_t)image->width;
    for (int y = 0; y < image->height; y++) {
        uint8_t *row = image->pixels + (size_t)y * width * channels;
        for (size_t left = 0, right = width - 1; left < right; left++, right--)
            for (size_t c = 0; c < channels; c++) {
                uint8_t kept = row[left * channels + c];
                row[left * channels + c] = row[right * channels + c];
                row[right * channels + c] = kept;
            }
    }
}

// EXIF 2.32, tag 274: which edges of the scene the stored first row and first column are.
dit_status dit_image_orient(dit_image *image, int orientation, dit_error *error)
{
    if (orientation < 2 || orientation > 8)
        return DIT_OK;
    bool transpose = orientation >= 5;
    bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    dit_image to;
    dit_status status = dit_image_alloc(&to, transpose ? image->height : image->width,
                                        transpose ? image->width : image->height, image->channels, error);
    if (status)
        return status;
    size_t channels = (size_t)image->channels;
    for (int y = 0; y < to.height; y++)
        for (int x = 0; x < to.width; x++) {
            int from_x = transpose ? y : x, from_y = transpose ? x : y;
            if (mirror_x)
                from_x = image->width - 1 - from_x;
            if (mirror_y)
                from_y = image->height - 1 - from_y;
            memcpy(to.pixels + ((size_t)y * (size_t)to.width + (size_t)x) * channels,
                   image->pixels + ((size_t)from_y * (size_t)image->width + (size_t)from_x) * channels, channels);
        }
    dit_image_free(image);
    *image = to;
    return DIT_OK;
}
