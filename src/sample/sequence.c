// sample/sequence.c: linspace, arange, interp, and the spacing of timesteps.
#include "sample/sequence.h"
#include <float.h>
#include <math.h>
#include <stddef.h>

const char *const dit_spacing_names[] = {"linspace", "leading", "trailing", NULL};

void dit_linspace(double start, double stop, int n, double *out)
{
    double delta = stop - start, step = n > 1 ? delta / (n - 1) : 0;
    for (int i = 0; i < n; i++)
        out[i] = (step == 0 && n > 1 ? i / (double)(n - 1) * delta : i * step) + start;
    if (n > 1)
        out[n - 1] = stop;
}

float dit_linspace_f32(float start, float stop, int n, int i)
{
    if (n == 1)
        return start;
    float step = (stop - start) / (float)(n - 1);
    return i < n / 2 ? fmaf(step, (float)i, start) : fmaf(-step, (float)(n - i - 1), stop);
}

int64_t dit_arange_count(double start, double stop, double step)
{
    double count = ceil((stop - start) / step);
    return count > 0 ? (int64_t)fmin(count, 0x1p62) : 0;
}

double dit_arange_at(double start, double step, int64_t i)
{
    return start + (double)i * (start + step - start);
}

double dit_interpolate(double x, const float *y, int n)
{
    if (x != x)
        return x;
    if (x <= 0)
        return y[0];
    if (x >= n - 1)
        return y[n - 1];
    int i = (int)x;
    if (x == i)
        return y[i];
    return ((double)y[i + 1] - (double)y[i]) * (x - i) + (double)y[i];
}

float dit_log_f32(float x)
{
    // x = 2^e (1 + m) with m in [sqrt(1/2) - 1, sqrt(2) - 1]; log(1 + m) as a quotient of two polynomials.
    static const float p[] = {2.589979117907922693523e-2f, 3.808837741388407920751e-1f, 1.480000633576506585156f,
                              2.112677543073053063722f,    9.999999999999998702752e-1f, 0};
    static const float q[] = {5.875095403124574342950e-3f, 1.546476374983906719538e-1f, 9.864942958519418960339e-1f,
                              2.453006071784736363091f,    2.612677543073109236779f,    1};
    if (!(x >= FLT_MIN && x <= FLT_MAX))
        return logf(x);
    int e;
    float m = 2 * frexpf(x, &e);
    e--;
    if (m > 1.41421356237309504880f) {
        m *= 0.5f;
        e++;
    }
    m -= 1;
    float above = p[0], below = q[0];
    for (int i = 1; i < 6; i++) {
        above = fmaf(above, m, p[i]);
        below = fmaf(below, m, q[i]);
    }
    return fmaf((float)e, 0.693147180559945309417f, above / below);
}

int dit_spaced_timesteps(const dit_spacing_rule *rule, int steps, double *out)
{
    if (rule->kind == DIT_SPACING_TRAILING) {
        double ratio = (double)rule->train_steps / steps;
        int count = (int)dit_arange_count((double)rule->last, 0, -ratio);
        for (int i = 0; i < count; i++)
            out[i] = nearbyint(dit_arange_at((double)rule->last, -ratio, i)) - 1;
        return count;
    }
    int points = steps + rule->one_more;
    if (rule->kind == DIT_SPACING_LINSPACE) {
        dit_linspace(0, (double)(rule->last - 1), points, out);
    } else {
        int64_t ratio = rule->last / points;
        for (int i = 0; i < points; i++)
            out[i] = (double)(i * ratio + rule->offset);
    }
    for (int i = 0; i < points / 2; i++) {
        double kept = out[i];
        out[i] = out[points - 1 - i];
        out[points - 1 - i] = kept;
    }
    if (rule->rounded)
        for (int i = 0; i < points; i++)
            out[i] = nearbyint(out[i]);
    return steps;
}
