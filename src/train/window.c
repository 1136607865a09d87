// train/window.c: separable resampling of a window: rows first, then columns.
#include "train/window.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

// How one axis is resampled: result i is the sum over j < taps of weight[i * taps + j] times source first[i] + j, plus
// outside[i] times the background. All sources lie in the picture.
struct axis {
    int taps;
    int *first;     // [size]
    float *weight;  // (size, taps)
    float *outside; // [size]
};

static void free_axis(struct axis *a)
{
    free(a->first);
    free(a->weight);
    free(a->outside);
}

// `start` and `length` of the window along this axis of a picture of `extent` pixels.
static bool make_axis(struct axis *a, double start, double length, int extent, int size)
{
    double scale = length / size, widening = scale > 1 ? scale : 1, support = 2 * widening;
    int reach = (int)ceil(2 * support) + 1; // pixels under the filter, in the picture or not
    a->taps = reach < extent ? reach : extent;
    a->first = malloc((size_t)size * sizeof *a->first);
    a->weight = calloc((size_t)size * (size_t)a->taps, sizeof *a->weight);
    a->outside = calloc((size_t)size, sizeof *a->outside);
    double *exact = malloc((size_t)reach * sizeof *exact);
    bool fits = a->first && a->weight && a->outside && exact;
    for (int i = 0; i < size && fits; i++) {
        double centre = start + (i + 0.5) * scale, sum = 0;
        int from = (int)floor(centre - support + 0.5);
        for (int j = 0; j < reach; j++)
            sum += exact[j] = bicubic((from + j + 0.5 - centre) / widening);
        int first = from > extent - a->taps ? extent - a->taps : from < 0 ? 0 : from;
        a->first[i] = first;
        for (int j = 0; j < reach; j++) {
            int source = from + j;
            if (source < 0 || source >= extent)
                a->outside[i] += (float)(exact[j] / sum);
            else
                a->weight[(size_t)i * (size_t)a->taps + (size_t)(source - first)] = (float)(exact[j] / sum);
        }
    }
    free(exact);
    return fits;
}

// rows: (height, size, C) of the picture's (height, width, C).
static void resample_rows(const struct axis *a, const dit_image *image, int size, const uint8_t *background,
                          float *rows)
{
    int channels = image->channels;
    for (int y = 0; y < image->height; y++) {
        const uint8_t *source = image->pixels + (size_t)y * (size_t)image->width * (size_t)channels;
        for (int x = 0; x < size; x++) {
            const float *weight = a->weight + (size_t)x * (size_t)a->taps;
            const uint8_t *pixel = source + (size_t)a->first[x] * (size_t)channels;
            for (int c = 0; c < channels; c++) {
                float sum = a->outside[x] * (float)background[c];
                for (int j = 0; j < a->taps; j++)
                    sum += weight[j] * (float)pixel[j * channels + c];
                *rows++ = sum;
            }
        }
    }
}

// planes: (C, size, size) of rows (height, size, C).
static void resample_columns(const struct axis *a, const float *rows, int size, int channels, const uint8_t *background,
                             float *planes)
{
    size_t width = (size_t)size * (size_t)channels;
    for (int y = 0; y < size; y++) {
        const float *weight = a->weight + (size_t)y * (size_t)a->taps, *source = rows + (size_t)a->first[y] * width;
        for (int c = 0; c < channels; c++)
            for (int x = 0; x < size; x++) {
                float sum = a->outside[y] * (float)background[c];
                for (int j = 0; j < a->taps; j++)
                    sum += weight[j] * source[(size_t)j * width + (size_t)(x * channels + c)];
                planes[((size_t)c * (size_t)size + (size_t)y) * (size_t)size + (size_t)x] = sum;
            }
    }
}

dit_status dit_picture_window_resample(const dit_image *image, dit_picture_window window, int size,
                                       const uint8_t *background, float *planes, dit_error *error)
{
    struct axis horizontal = {0}, vertical = {0};
    dit_status status = DIT_OK;
    float *rows = malloc((size_t)image->height * (size_t)size * (size_t)image->channels * sizeof *rows);
    if (rows && make_axis(&horizontal, window.x, window.width, image->width, size) &&
        make_axis(&vertical, window.y, window.height, image->height, size)) {
        resample_rows(&horizontal, image, size, background, rows);
        resample_columns(&vertical, rows, size, image->channels, background, planes);
    } else
        status = dit_fail(error, DIT_NO_MEMORY, "no memory to resample a picture");
    free(rows);
    free_axis(&horizontal);
    free_axis(&vertical);
    return status;
}
