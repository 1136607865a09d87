// backend/cpu/kernels/depthwise.c: depthwise convolution and its gradients: for each tap of the kernel, a row of the
// picture against a row of the output.
#include "backend/cpu/depthwise.h"
#include "backend/cpu/cpu.h"

// Whether output `o` sees the picture with a tap, and where.
static bool sees(const dit_conv_geometry *c, int axis, int64_t o, int64_t tap, int64_t *at)
{
    *at = o * c->stride[axis] + tap * c->dilation[axis] - c->padding[axis];
    return *at >= 0 && *at < c->in[axis];
}

// Columns first <= o < end of an output row see column from + o * stride of the picture with a tap.
struct span {
    int64_t first, end, from;
};

static struct span span_of(const dit_conv_geometry *c, int64_t tap)
{
    int64_t stride = c->stride[2], from = tap * c->dilation[2] - c->padding[2], last = c->in[2] - 1 - from;
    struct span s = {from < 0 ? (stride - 1 - from) / stride : 0, last < 0 ? 0 : last / stride + 1, from};
    s.end = s.end < c->out[2] ? s.end : c->out[2];
    return s;
}

// What one row of the output has to do with one row of the picture through one tap of weight w.
typedef void (*row_function)(float *output, float *picture, struct span s, int64_t stride, float w, double *sum);

static inline void gather_row(float *output, float *picture, struct span s, int64_t stride, float w, double *sum)
{
    (void)sum;
    const float *x = picture + s.from;
    if (stride == 1) {
#pragma omp simd
        for (int64_t o = s.first; o < s.end; o++)
            output[o] += w * x[o];
    } else {
        for (int64_t o = s.first; o < s.end; o++)
            output[o] += w * x[o * stride];
    }
}

static inline void scatter_row(float *output, float *picture, struct span s, int64_t stride, float w, double *sum)
{
    (void)sum;
    float *x = picture + s.from;
    if (stride == 1) {
#pragma omp simd
        for (int64_t o = s.first; o < s.end; o++)
            x[o] += w * output[o];
    } else {
        for (int64_t o = s.first; o < s.end; o++)
            x[o * stride] += w * output[o];
    }
}

static inline void sum_row(float *output, float *picture, struct span s, int64_t stride, float w, double *sum)
{
    (void)w;
    const float *x = picture + s.from;
    float total = 0;
    if (stride == 1) {
#pragma omp simd reduction(+ : total)
        for (int64_t o = s.first; o < s.end; o++)
            total += output[o] * x[o];
    } else {
        for (int64_t o = s.first; o < s.end; o++)
            total += output[o] * x[o * stride];
    }
    *sum += (double)total;
}

// Calls `row`, which is inlined, for all rows of one output plane, all rows of the picture that they see, and all taps.
static inline __attribute__((always_inline)) void walk(const dit_conv_geometry *c, row_function row, float *output,
                                                       float *picture, const float *weight, float *sums)
{
    for (int64_t kd = 0; kd < c->kernel[0]; kd++)
        for (int64_t kh = 0; kh < c->kernel[1]; kh++)
            for (int64_t kw = 0; kw < c->kernel[2]; kw++) {
                int64_t tap = (kd * c->kernel[1] + kh) * c->kernel[2] + kw, id, ih;
                struct span s = span_of(c, kw);
                double sum = 0;
                for (int64_t od = 0; od < c->out[0]; od++)
                    for (int64_t oh = 0; oh < c->out[1]; oh++)
                        if (sees(c, 0, od, kd, &id) && sees(c, 1, oh, kh, &ih))
                            row(output + (od * c->out[1] + oh) * c->out[2], picture + (id * c->in[1] + ih) * c->in[2],
                                s, c->stride[2], weight ? weight[tap] : 0, &sum);
                if (sums)
                    sums[tap] += (float)sum;
            }
}

static int64_t volume(const int64_t extent[3])
{
    return extent[0] * extent[1] * extent[2];
}

static void fill(float *x, int64_t count, float value)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = value;
}

void dit_depthwise(const dit_conv_geometry *c, const float *x, const float *weight, const float *bias, float *y)
{
    int64_t in = volume(c->in), out = volume(c->out), taps = volume(c->kernel);
#pragma omp parallel for num_threads(dit_cpu_threads())
    for (int64_t n = 0; n < c->B * c->groups; n++) {
        int64_t channel = n % c->groups;
        fill(y + n * out, out, bias ? bias[channel] : 0);
        walk(c, gather_row, y + n * out, (float *)x + n * in, weight + channel * taps, NULL);
    }
}

void dit_depthwise_input(const dit_conv_geometry *c, const float *dy, const float *weight, const float *bias, float *dx)
{
    int64_t in = volume(c->in), out = volume(c->out), taps = volume(c->kernel);
#pragma omp parallel for num_threads(dit_cpu_threads())
    for (int64_t n = 0; n < c->B * c->groups; n++) {
        int64_t channel = n % c->groups;
        fill(dx + n * in, in, bias ? bias[channel] : 0);
        walk(c, scatter_row, (float *)dy + n * out, dx + n * in, weight + channel * taps, NULL);
    }
}

void dit_depthwise_weight(const dit_conv_geometry *c, const float *dy, const float *x, float *dweight)
{
    int64_t in = volume(c->in), out = volume(c->out), taps = volume(c->kernel);
#pragma omp parallel for num_threads(dit_cpu_threads())
    for (int64_t channel = 0; channel < c->groups; channel++) {
        fill(dweight + channel * taps, taps, 0);
        for (int64_t b = 0; b < c->B; b++) {
            int64_t n = b * c->groups + channel;
            walk(c, sum_row, (float *)dy + n * out, (float *)x + n * in, NULL, dweight + channel * taps);
        }
    }
}
