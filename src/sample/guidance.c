// sample/guidance.c: combining the answers with and without a condition.
#include "sample/guidance.h"
#include "sample/elementwise.h"
#include <math.h>
#include <string.h>

static const char *const names[] = {
    [DIT_GUIDANCE_PLAIN] = "cfg", [DIT_GUIDANCE_PROJECTED] = "apg", [DIT_GUIDANCE_ZERO_STAR] = "cfg-zero"};

bool dit_guidance_kind_from_name(const char *name, dit_guidance_kind *kind)
{
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
        if (!strcmp(names[i], name)) {
            *kind = (dit_guidance_kind)i;
            return true;
        }
    return false;
}

dit_guidance dit_guidance_of(dit_guidance_kind kind, double scale)
{
    return (dit_guidance){.kind = kind, .scale = scale, .stop = 1, .momentum = -0.5, .norm_limit = 15, .zero_calls = 1};
}

bool dit_guidance_acts(const dit_guidance *g, int call, int calls)
{
    return call >= (int)(g->start * calls) && call < (int)(g->stop * calls);
}

bool dit_guidance_skips(const dit_guidance *g, int call, int steps)
{
    return g->skip_scale != 0 && call > steps * g->skip_start && call < steps * g->skip_stop;
}

// The standard deviation, with n - 1 in the denominator.
static double deviation(const float *x, int64_t n)
{
    double sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i];
    double mean = sum / (double)n;
#pragma omp simd reduction(+ : squares)
    for (int64_t i = 0; i < n; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    return sqrt(squares / (double)(n - 1));
}

static double dot(const float *a, const float *b, int64_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void combine_plain(const dit_guidance *g, const float *without, const float *with, int64_t n, float *out)
{
    float scale = (float)g->scale;
    DIT_EACH(n)
    for (int64_t i = 0; i < n; i++)
        out[i] = without[i] + scale * (with[i] - without[i]);
}

// with + (scale - 1) * (d - (1 - parallel) * projection of d on with), d the running, bounded difference.
static void combine_projected(const dit_guidance *g, const float *without, const float *with, int64_t n, float *average,
                              float *out)
{
    float momentum = (float)g->momentum, scale = (float)(g->scale - 1);
    double squares = 0, along = 0, own = dot(with, with, n);
    for (int64_t i = 0; i < n; i++) {
        float d = with[i] - without[i];
        if (average)
            d = average[i] = d + momentum * average[i];
        squares += (double)d * (double)d;
        along += (double)d * (double)with[i];
    }
    double bound = g->norm_limit > 0 && squares > 0 ? fmin(1, g->norm_limit / sqrt(squares)) : 1;
    float less = own > 0 ? (float)((1 - g->parallel) * along / own) : 0;
    for (int64_t i = 0; i < n; i++) {
        float d = average ? average[i] : with[i] - without[i];
        out[i] = with[i] + scale * (float)bound * (d - less * with[i]);
    }
}

// a * without + scale * (with - a * without), a the factor that brings `without` nearest to `with`.
static void combine_zero_star(const dit_guidance *g, int call, const float *without, const float *with, int64_t n,
                              float *out)
{
    if (call < g->zero_calls) {
        memset(out, 0, (size_t)n * sizeof *out);
        return;
    }
    float a = (float)(dot(with, without, n) / (dot(without, without, n) + 1e-8)), scale = (float)g->scale;
    for (int64_t i = 0; i < n; i++)
        out[i] = a * without[i] + scale * (with[i] - a * without[i]);
}

void dit_guidance_combine(const dit_guidance *g, int call, const dit_guidance_answers *answers,
                          const dit_sample_size *size, int64_t guided, float *average, float *out)
{
    float share = (float)g->rescale, kept = (float)(1 - g->rescale);
    int64_t row = size->channels * size->inner, n = guided * size->inner;
    for (int64_t b = 0; b < size->batch; b++, out += row) {
        const float *with = answers->with + b * row, *without = answers->without + b * row;
        float *shift = answers->skipping ? answers->skipping + b * row : NULL;
        for (int64_t i = 0; shift && i < n; i++) // before `out` takes the place of `with`
            shift[i] = with[i] - shift[i];
        double before = g->rescale != 0 ? deviation(with, n) : 0;
        if (g->kind == DIT_GUIDANCE_PROJECTED)
            combine_projected(g, without, with, n, average ? average + b * n : NULL, out);
        else if (g->kind == DIT_GUIDANCE_ZERO_STAR)
            combine_zero_star(g, call, without, with, n, out);
        else
            combine_plain(g, without, with, n, out);
        for (int64_t i = 0; shift && i < n; i++)
            out[i] += (float)g->skip_scale * shift[i];
        double after = g->rescale != 0 ? deviation(out, n) : 0;
        float back = after > 0 ? (float)(before / after) : 1;
        for (int64_t i = 0; g->rescale != 0 && i < n; i++)
            out[i] = share * (out[i] * back) + kept * out[i];
        if (out != with)
            memcpy(out + n, with + n, (size_t)(row - n) * sizeof *out);
    }
}
