// train/augment.c: sizes and shapes first, chance afterwards.
#include "train/augment.h"
#include "base/random.h"
#include "media/image.h"
#include "train/stream.h"
#include "train/window.h"
#include <math.h>
#include <string.h>

enum { LARGEST_SIZE = 4096 };

dit_status dit_picture_options_check(const dit_picture_options *o, dit_error *error)
{
    const dit_augmentation *a = &o->augmentation;
    const struct {
        const char *name;
        double value, most;
    } fractions[] = {
        {"crop", a->crop, 0.95},          {"margin", a->margin, 4},         {"shift", a->shift, 1},
        {"stretch", a->stretch, 1},       {"brightness", a->brightness, 1}, {"contrast", a->contrast, 1},
        {"saturation", a->saturation, 1},
    };
    if (o->size < 1 || o->size > LARGEST_SIZE)
        return dit_fail(error, DIT_BAD_ARGUMENT, "size is %d; it is 1 to %d pixels", o->size, LARGEST_SIZE);
    if (o->channels != 1 && o->channels != 3)
        return dit_fail(error, DIT_BAD_ARGUMENT, "channels is %d; it is 1 (grey) or 3 (colour)", o->channels);
    for (size_t i = 0; i < sizeof fractions / sizeof *fractions; i++)
        if (!(fractions[i].value >= 0 && fractions[i].value <= fractions[i].most))
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s is %g; it is 0 to %g", fractions[i].name, fractions[i].value,
                            fractions[i].most);
    return DIT_OK;
}

// ---- Without chance

static bool takes_windows(const dit_augmentation *a)
{
    return a->crop > 0 || a->margin > 0 || a->shift > 0 || a->stretch > 0;
}

// The background in the channels of the network; BT.601 luma for grey.
static void background_of(const dit_picture_options *o, uint8_t background[3])
{
    memcpy(background, o->background, 3);
    if (o->channels == 1)
        background[0] = (uint8_t)lround(0.299 * o->background[0] + 0.587 * o->background[1] + 0.114 * o->background[2]);
}

// Puts the picture in the middle of a square of background.
static dit_status pad_to_square(dit_image *image, const uint8_t background[3], dit_error *error)
{
    dit_image square;
    int side = image->width > image->height ? image->width : image->height;
    size_t channels = (size_t)image->channels, row = (size_t)image->width * channels;
    if (image->width == image->height)
        return DIT_OK;
    if (dit_image_alloc(&square, side, side, image->channels, error))
        return error->status;
    for (size_t i = 0; i < (size_t)side * (size_t)side; i++)
        memcpy(square.pixels + i * channels, background, channels);
    int left = (side - image->width) / 2, top = (side - image->height) / 2;
    for (int y = 0; y < image->height; y++)
        memcpy(square.pixels + ((size_t)(top + y) * (size_t)side + (size_t)left) * channels,
               image->pixels + (size_t)y * row, row);
    dit_image_free(image);
    *image = square;
    return DIT_OK;
}

static dit_status crop_to_square(dit_image *image, dit_error *error)
{
    int side = image->width < image->height ? image->width : image->height;
    return dit_image_crop(image, (image->width - side) / 2, (image->height - side) / 2, side, side, error);
}

dit_status dit_picture_prepare(dit_image *image, const dit_picture_options *o, dit_error *error)
{
    uint8_t background[3];
    background_of(o, background);
    if (dit_image_flatten(image, o->background, error) || dit_image_convert(image, o->channels, error))
        return error->status;
    if (o->fit == DIT_FIT_PAD && pad_to_square(image, background, error))
        return error->status;
    if (o->fit == DIT_FIT_CROP && crop_to_square(image, error))
        return error->status;
    int width = o->size, height = o->size;
    if (takes_windows(&o->augmentation)) { // windows are enlarged when they are drawn, not here
        width = image->width < 2 * o->size ? image->width : 2 * o->size;
        height = image->height < 2 * o->size ? image->height : 2 * o->size;
    }
    return dit_image_resize(image, width, height, DIT_FILTER_BICUBIC, error);
}

// ---- With chance

enum draw {
    DRAW_MIRROR,
    DRAW_SIDE,
    DRAW_X,
    DRAW_Y,
    DRAW_STRETCH,
    DRAW_BRIGHTNESS,
    DRAW_CONTRAST,
    DRAW_SATURATION,
    DRAWS
};

// From `least` to `most`, by a uniform number in [0, 1).
static double between(float u, double least, double most)
{
    return least + u * (most - least);
}

static dit_picture_window choose_window(const dit_image *image, const dit_augmentation *a, const float u[DRAWS])
{
    double side = between(u[DRAW_SIDE], 1 - a->crop, 1 + a->margin);
    double stretch = exp(between(u[DRAW_STRETCH], -a->stretch / 2, a->stretch / 2));
    double width = side * stretch, height = side / stretch;
    // As far as the window stays within the picture, or the picture within the window, and the shift on top.
    double freedom_x = fabs(1 - width) / 2 + a->shift, freedom_y = fabs(1 - height) / 2 + a->shift;
    double x = 0.5 + between(u[DRAW_X], -freedom_x, freedom_x), y = 0.5 + between(u[DRAW_Y], -freedom_y, freedom_y);
    return (dit_picture_window){(x - width / 2) * image->width, (y - height / 2) * image->height, width * image->width,
                                height * image->height};
}

static void mirror(float *planes, int channels, int size)
{
    for (int row = 0; row < channels * size; row++, planes += size)
        for (int x = 0; x < size / 2; x++) {
            float kept = planes[x];
            planes[x] = planes[size - 1 - x];
            planes[size - 1 - x] = kept;
        }
}

// planes: (C, pixels), 0 to 255. Luma as in ITU-R BT.601.
static float luma(const float *planes, int channels, size_t pixels, size_t i)
{
    return channels == 1 ? planes[i]
                         : 0.299f * planes[i] + 0.587f * planes[pixels + i] + 0.114f * planes[2 * pixels + i];
}

static void change_colours(float *planes, int channels, size_t pixels, const dit_augmentation *a, const float u[DRAWS])
{
    float brightness = (float)between(u[DRAW_BRIGHTNESS], 1 - a->brightness, 1 + a->brightness);
    float contrast = (float)between(u[DRAW_CONTRAST], 1 - a->contrast, 1 + a->contrast);
    float saturation = (float)between(u[DRAW_SATURATION], 1 - a->saturation, 1 + a->saturation);
    double sum = 0;
    for (size_t i = 0; i < pixels; i++)
        sum += luma(planes, channels, pixels, i);
    float mean = (float)(sum / (double)pixels);
    for (size_t i = 0; i < pixels; i++) {
        float grey = luma(planes, channels, pixels, i);
        for (int c = 0; c < channels; c++) {
            float *value = &planes[(size_t)c * pixels + i];
            float saturated = channels == 1 ? *value : grey + saturation * (*value - grey);
            *value = brightness * (mean + contrast * (saturated - mean));
        }
    }
}

dit_status dit_picture_draw(const dit_image *prepared, const dit_picture_options *o, uint64_t seed, uint64_t position,
                            bool may_mirror, float *planes, dit_error *error)
{
    const dit_augmentation *a = &o->augmentation;
    size_t pixels = (size_t)o->size * (size_t)o->size, count = pixels * (size_t)o->channels;
    uint8_t background[3];
    float u[DRAWS];
    background_of(o, background);
    dit_counter_uniforms(seed, dit_stream(DIT_STREAM_PICTURE, position), 0, u, DRAWS);
    dit_picture_window window = choose_window(prepared, a, u);
    if (takes_windows(a) || prepared->width != o->size || prepared->height != o->size) {
        if (dit_picture_window_resample(prepared, window, o->size, background, planes, error))
            return error->status;
    } else
        for (int c = 0; c < o->channels; c++)
            for (size_t i = 0; i < pixels; i++)
                planes[(size_t)c * pixels + i] = prepared->pixels[i * (size_t)o->channels + (size_t)c];
    if (a->mirror && may_mirror && u[DRAW_MIRROR] < 0.5f)
        mirror(planes, o->channels, o->size);
    if (a->brightness > 0 || a->contrast > 0 || a->saturation > 0)
        change_colours(planes, o->channels, pixels, a, u);
    for (size_t i = 0; i < count; i++) {
        float value = planes[i] < 0 ? 0 : planes[i] > 255 ? 255 : planes[i];
        planes[i] = value / 255 * 2 - 1;
    }
    return DIT_OK;
}
