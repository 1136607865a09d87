// sample/elementwise.c: splitting outputs, and dynamic thresholding.
#include "sample/elementwise.h"
#include <math.h>
#include <string.h>

dit_halves dit_split_output(const dit_sampler *s, const float *model_output, float *room)
{
    if (s->output_channels == s->size.channels)
        return (dit_halves){model_output, NULL};
    size_t row = (size_t)(s->size.channels * s->size.inner);
    float *variance = room + s->count;
    for (size_t b = 0; b < (size_t)s->size.batch; b++) {
        memcpy(room + b * row, model_output + 2 * b * row, row * sizeof *room);
        memcpy(variance + b * row, model_output + (2 * b + 1) * row, row * sizeof *room);
    }
    return (dit_halves){room, variance};
}

void dit_predicted_x0(dit_prediction kind, float alpha, float sigma, const float *x, const float *output, float *out,
                      int64_t n)
{
    switch (kind) {
    case DIT_PREDICTS_EPSILON:
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            out[i] = (x[i] - sigma * output[i]) / alpha;
        break;
    case DIT_PREDICTS_SAMPLE:
        if (out != output)
            memcpy(out, output, (size_t)n * sizeof *out);
        break;
    case DIT_PREDICTS_V:
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            out[i] = alpha * x[i] - sigma * output[i];
        break;
    case DIT_PREDICTS_FLOW:
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            out[i] = x[i] - sigma * output[i];
        break;
    }
}

void dit_predicted_epsilon(dit_prediction kind, float alpha, float sigma, const float *x, const float *output,
                           float *out, int64_t n)
{
    switch (kind) {
    case DIT_PREDICTS_SAMPLE:
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            out[i] = (x[i] - alpha * output[i]) / sigma;
        break;
    case DIT_PREDICTS_V:
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            out[i] = alpha * output[i] + sigma * x[i];
        break;
    case DIT_PREDICTS_EPSILON:
    case DIT_PREDICTS_FLOW:
        if (out != output)
            memcpy(out, output, (size_t)n * sizeof *out);
        break;
    }
}

void dit_clip(float *x, float range, int64_t n)
{
    DIT_EACH(n)
    for (int64_t i = 0; i < n; i++) {
        float v = x[i] < -range ? -range : x[i];
        x[i] = v > range ? range : v;
    }
}

dit_status dit_threshold_read(dit_threshold *threshold, dit_json config, dit_error *error)
{
    threshold->on = dit_json_bool_or(config, "thresholding", false, error);
    threshold->ratio = dit_json_number_or(config, "dynamic_thresholding_ratio", 0.995, 0, 1, error);
    threshold->most = dit_json_number_or(config, "sample_max_value", 1, 1e-6, 1e6, error);
    return error->status;
}

static void swap(float *a, float *b)
{
    float kept = *a;
    *a = *b;
    *b = kept;
}

// Moves the k-th smallest value to x[k], with none larger before it (Hoare's selection; pivot: median of three).
static float select_kth(float *x, int64_t n, int64_t k)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (x[middle] < x[low])
            swap(&x[middle], &x[low]);
        if (x[high] < x[low])
            swap(&x[high], &x[low]);
        if (x[high] < x[middle])
            swap(&x[high], &x[middle]);
        float pivot = x[middle];
        int64_t i = low, j = high;
        while (i <= j) {
            while (x[i] < pivot)
                i++;
            while (pivot < x[j])
                j--;
            if (i <= j)
                swap(&x[i++], &x[j--]);
        }
        if (k <= j)
            high = j;
        else if (k >= i)
            low = i;
        else
            break;
    }
    return x[k];
}

// torch.quantile of n >= 1 values, in float32, linear between neighbours. Reorders x. NaN when any value is.
static float quantile(float *x, int64_t n, float ratio)
{
    for (int64_t i = 0; i < n; i++)
        if (isnan(x[i]))
            return x[i];
    float rank = ratio * (float)(n - 1);
    int64_t below = (int64_t)rank;
    if (below > n - 1)
        below = n - 1;
    float weight = rank - (float)below, a = select_kth(x, n, below), b = a;
    if (below + 1 < n && weight > 0) {
        b = x[below + 1];
        for (int64_t i = below + 2; i < n; i++)
            b = fminf(b, x[i]);
    }
    return weight < 0.5f ? a + weight * (b - a) : b - (b - a) * (1 - weight);
}

void dit_threshold_apply(const dit_threshold *threshold, const dit_sample_size *size, float *x, float *room)
{
    int64_t n = size->channels * size->inner;
    float most = (float)threshold->most;
    for (int64_t b = 0; b < size->batch; b++, x += n) {
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            room[i] = fabsf(x[i]);
        float s = quantile(room, n, (float)threshold->ratio);
        s = s < 1 ? 1 : s;
        s = s > most ? most : s;
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++) {
            float v = x[i] < -s ? -s : x[i];
            x[i] = (v > s ? s : v) / s;
        }
    }
}
