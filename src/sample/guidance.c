// sample/guidance.c: combining the answers with and without a condition.
#include "sample/guidance.h"
#include "sample/elementwise.h"
#include <math.h>
#include <string.h>

bool dit_guidance_acts(const dit_guidance *g, double time)
{
    return g->scale != 1 && time >= g->low && time <= g->high;
}

void dit_guidance_double(const float *x, int64_t n, float *both)
{
    memmove(both, x, (size_t)n * sizeof *x);
    memcpy(both + n, both, (size_t)n * sizeof *x);
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

void dit_guidance_combine(const dit_guidance *g, const float *without, const float *with, const dit_sample_size *size,
                          int64_t guided, float *out)
{
    float scale = (float)g->scale, share = (float)g->rescale, kept = (float)(1 - g->rescale);
    int64_t row = size->channels * size->inner, n = guided * size->inner;
    for (int64_t b = 0; b < size->batch; b++, without += row, with += row, out += row) {
        double before = g->rescale != 0 ? deviation(with, n) : 0;
        DIT_EACH(n)
        for (int64_t i = 0; i < n; i++)
            out[i] = without[i] + scale * (with[i] - without[i]);
        if (g->rescale != 0) {
            float back = (float)(before / deviation(out, n));
            DIT_EACH(n)
            for (int64_t i = 0; i < n; i++)
                out[i] = share * (out[i] * back) + kept * out[i];
        }
        if (out != with)
            memcpy(out + n, with + n, (size_t)(row - n) * sizeof *out);
    }
}
