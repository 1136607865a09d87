// media/resize.c: separable resampling. A pixel of the result at x covers (x + 1/2) scale of the source; its value is
// the sum of the source pixels there, weighted by a filter that is at least one source pixel wide.
#include "media/image.h"
#include "media/pixel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double box(double x)
{
    return x > -0.5 && x <= 0.5;
}

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

// Keys 1981, with a = -1/2.
static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double sinc(double x)
{
    return x == 0 ? 1 : sin(x * M_PI) / (x * M_PI);
}

static double lanczos(double x)
{
    return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

static const struct {
    double (*weight)(double x);
    double support; // the weight is 0 beyond
} filters[] = {
    [DIT_FILTER_BOX] = {box, 0.5},
    [DIT_FILTER_BILINEAR] = {bilinear, 1},
    [DIT_FILTER_BICUBIC] = {bicubic, 2},
    [DIT_FILTER_LANCZOS] = {lanczos, 3},
};

enum { WEIGHT_BITS = 22 }; // 32 minus 8 for a sample and 2 for weights that sum to more than one on the way

// The weights along one axis: result i is the sum of weights[i * room + j] times source first[i] + j.
struct axis {
    int *first, *count; // [result size]
    int32_t *weights;   // (result size, room), in units of 2^-22
    int room;
};

static void free_axis(struct axis *a)
{
    free(a->first);
    free(a->count);
    free(a->weights);
}

static bool make_axis(struct axis *a, int from, int to, dit_filter filter)
{
    double scale = (double)from / to, widening = scale > 1 ? scale : 1, support = filters[filter].support * widening;
    a->room = (int)ceil(support) * 2 + 1;
    a->first = malloc((size_t)to * sizeof *a->first);
    a->count = malloc((size_t)to * sizeof *a->count);
    a->weights = malloc((size_t)to * (size_t)a->room * sizeof *a->weights);
    double *exact = malloc((size_t)a->room * sizeof *exact);
    bool fits = a->first && a->count && a->weights && exact;
    for (int i = 0; i < to && fits; i++) {
        double centre = (i + 0.5) * scale, sum = 0;
        int first = (int)(centre - support + 0.5), end = (int)(centre + support + 0.5);
        first = first < 0 ? 0 : first;
        end = end > from ? from : end;
        for (int j = 0; j < end - first; j++)
            sum += exact[j] = filters[filter].weight((j + first - centre + 0.5) * (1 / widening));
        for (int j = 0; j < end - first; j++) {
            double w = (sum != 0 ? exact[j] / sum : exact[j]) * (1 << WEIGHT_BITS);
            a->weights[(size_t)i * (size_t)a->room + (size_t)j] = (int32_t)(w < 0 ? w - 0.5 : w + 0.5);
        }
        a->first[i] = first;
        a->count[i] = end - first;
    }
    free(exact);
    return fits;
}

static uint8_t clip(int32_t sum)
{
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

// `outer` runs of `from` elements become runs of `to`; an element is `step` bytes, each byte on its own.
static void resample(const struct axis *a, const uint8_t *in, uint8_t *out, size_t outer, size_t from, size_t to,
                     size_t step)
{
    enum { BLOCK = 1024 }; // columns at a time, so that the sums stay in the first cache
    int32_t sum[BLOCK];
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < to; i++) {
            const int32_t *weights = a->weights + i * (size_t)a->room;
            const uint8_t *source = in + (o * from + (size_t)a->first[i]) * step;
            uint8_t *result = out + (o * to + i) * step;
            for (size_t start = 0; start < step; start += BLOCK) {
                size_t n = step - start < BLOCK ? step - start : BLOCK;
                for (size_t s = 0; s < n; s++)
                    sum[s] = 1 << (WEIGHT_BITS - 1);
                for (int j = 0; j < a->count[i]; j++)
                    for (size_t s = 0; s < n; s++)
                        sum[s] += source[(size_t)j * step + start + s] * weights[j];
                for (size_t s = 0; s < n; s++)
                    result[start + s] = clip(sum[s]);
            }
        }
}

// Resizes the rows (horizontal) or the columns of `image`.
static dit_status resize_axis(dit_image *image, int to, bool horizontal, dit_filter filter, dit_error *error)
{
    struct axis a = {0};
    dit_image result;
    int from = horizontal ? image->width : image->height;
    if (from == to)
        return DIT_OK;
    dit_status status = dit_image_alloc(&result, horizontal ? to : image->width, horizontal ? image->height : to,
                                        image->channels, error);
    if (status)
        return status;
    if (make_axis(&a, from, to, filter)) {
        size_t channels = (size_t)image->channels;
        resample(&a, image->pixels, result.pixels, horizontal ? (size_t)image->height : 1, (size_t)from, (size_t)to,
                 horizontal ? channels : channels * (size_t)image->width);
        dit_image_free(image);
        *image = result;
    } else {
        dit_image_free(&result);
        status = dit_fail(error, DIT_NO_MEMORY, "no memory to resize a picture");
    }
    free_axis(&a);
    return status;
}

static dit_status resize_nearest(dit_image *image, int width, int height, dit_error *error)
{
    dit_image to;
    dit_status status = dit_image_alloc(&to, width, height, image->channels, error);
    if (status)
        return status;
    size_t channels = (size_t)image->channels;
    double scale_x = (double)image->width / width, scale_y = (double)image->height / height;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            size_t from_x = (size_t)((x + 0.5) * scale_x), from_y = (size_t)((y + 0.5) * scale_y);
            memcpy(to.pixels + ((size_t)y * (size_t)width + (size_t)x) * channels,
                   image->pixels + (from_y * (size_t)image->width + from_x) * channels, channels);
        }
    dit_image_free(image);
    *image = to;
    return DIT_OK;
}

// Without this, the colour of transparent pixels would bleed into their neighbours.
static void premultiply(dit_image *image)
{
    size_t pixels = (size_t)image->width * (size_t)image->height;
    for (uint8_t *p = image->pixels, *end = p + 4 * pixels; p < end; p += 4)
        for (int c = 0; c < 3; c++)
            p[c] = dit_divide_255((unsigned)p[c] * p[3]);
}

static void unpremultiply(dit_image *image)
{
    size_t pixels = (size_t)image->width * (size_t)image->height;
    for (uint8_t *p = image->pixels, *end = p + 4 * pixels; p < end; p += 4)
        for (int c = 0; c < 3 && p[3] != 0 && p[3] != 255; c++) {
            unsigned value = 255u * p[c] / p[3];
            p[c] = (uint8_t)(value > 255 ? 255 : value);
        }
}

dit_status dit_image_resize(dit_image *image, int width, int height, dit_filter filter, dit_error *error)
{
    if (width == image->width && height == image->height)
        return DIT_OK;
    if (filter == DIT_FILTER_NEAREST)
        return resize_nearest(image, width, height, error);
    if (image->channels == 4)
        premultiply(image);
    // Both orders give nearly the same; this choice, Pillow 13's, is the cheaper one for most shapes.
    bool rows_first = height >= image->height || image->height - height <= 2 * (image->width - width);
    dit_status status = resize_axis(image, rows_first ? width : height, rows_first, filter, error);
    if (!status)
        status = resize_axis(image, rows_first ? height : width, !rows_first, filter, error);
    if (image->channels == 4)
        unpremultiply(image);
    return status;
}

dit_status dit_image_cover(dit_image *image, int width, int height, dit_filter filter, dit_error *error)
{
    double scale = fmax((double)width / image->width, (double)height / image->height);
    int scaled_width = (int)fmin(65535, fmax(width, round(image->width * scale)));
    int scaled_height = (int)fmin(65535, fmax(height, round(image->height * scale)));
    dit_status status = dit_image_resize(image, scaled_width, scaled_height, filter, error);
    return status
               ? status
               : dit_image_crop(image, (scaled_width - width) / 2, (scaled_height - height) / 2, width, height, error);
}
