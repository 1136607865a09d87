// backend/cpu/kernels/depthwise.c: depthwise convolution and its gradients, a row at a time: each register of a result
// sums shifted registers of the rows that it sees. Rows are read in steps of one column; where the stride along rows is
// another, plain loops do.
#include "backend/cpu/depthwise.h"
#include "backend/cpu/cpu.h"
#include "backend/cpu/vec.h"

static int64_t volume(const int64_t extent[3])
{
    return extent[0] * extent[1] * extent[2];
}

// Where tap `tap` of output `o` lies in the picture, or, backward, the output that sees picture element `o` with it; -1
// when there is none.
static inline int64_t partner(const dit_conv_geometry *c, int axis, int64_t o, int64_t tap, bool backward)
{
    if (!backward) {
        int64_t at = o * c->stride[axis] + tap * c->dilation[axis] - c->padding[axis];
        return at >= 0 && at < c->in[axis] ? at : -1;
    }
    int64_t at = o + c->padding[axis] - tap * c->dilation[axis];
    return at >= 0 && at % c->stride[axis] == 0 && at / c->stride[axis] < c->out[axis] ? at / c->stride[axis] : -1;
}

// Rows of the source that one row of a result sees, and the weights of their taps.
enum { MOST_LINES = 32 };
struct lines {
    int count;
    const float *line[MOST_LINES], *taps[MOST_LINES];
};

// to[w] = start, or to[w] itself when there is none, + the sum over lines and taps kw of
// taps[kw] * line[w + base + kw * step], zero outside the line's `length`.
static void sum_lines(const struct lines *l, int64_t kernel, int64_t base, int64_t step, int64_t length,
                      const float *start, float *to, int64_t width)
{
    for (int64_t w = 0; w < width; w += DIT_LANES) {
        vec sum = start ? vec_splat(*start) : vec_load_part(to + w, 0, width - w);
        for (int64_t kw = 0; kw < kernel; kw++) {
            int64_t at = w + base + kw * step;
            if (at >= 0 && at + DIT_LANES <= length)
                for (int i = 0; i < l->count; i++)
                    sum += vec_load(l->line[i] + at) * l->taps[i][kw];
            else
                for (int i = 0; i < l->count; i++)
                    sum += vec_load_part(l->line[i] + at, -at, length - at) * l->taps[i][kw];
        }
        vec_store_part(to + w, sum, width - w);
    }
}

// One row (d, h) of a plane: to[w] = start + the sum over taps of weight times what they pair it with. Forward: rows of
// y from x; backward: rows of dx from dy. The stride along rows is 1.
static void sum_row(const dit_conv_geometry *c, bool backward, int64_t d, int64_t h, const float *from,
                    const float *weight, float start, float *to)
{
    const int64_t *source = backward ? c->out : c->in;
    int64_t width = backward ? c->in[2] : c->out[2];
    int64_t base = backward ? c->padding[2] : -c->padding[2], step = backward ? -c->dilation[2] : c->dilation[2];
    struct lines lines;
    const float *begin = &start;
    lines.count = 0;
    for (int64_t kd = 0; kd < c->kernel[0]; kd++)
        for (int64_t kh = 0; kh < c->kernel[1]; kh++) {
            int64_t sd = partner(c, 0, d, kd, backward), sh = partner(c, 1, h, kh, backward);
            if (sd < 0 || sh < 0)
                continue;
            if (lines.count == MOST_LINES) {
                sum_lines(&lines, c->kernel[2], base, step, source[2], begin, to, width);
                begin = NULL;
                lines.count = 0;
            }
            lines.line[lines.count] = from + (sd * source[1] + sh) * source[2];
            lines.taps[lines.count++] = weight + (kd * c->kernel[1] + kh) * c->kernel[2];
        }
    sum_lines(&lines, c->kernel[2], base, step, source[2], begin, to, width);
}

// The same for any stride along rows.
static void sum_row_strided(const dit_conv_geometry *c, bool backward, int64_t d, int64_t h, const float *from,
                            const float *weight, float start, float *to)
{
    const int64_t *source = backward ? c->out : c->in;
    int64_t width = backward ? c->in[2] : c->out[2];
    for (int64_t w = 0; w < width; w++) {
        to[w] = start;
        for (int64_t tap = 0; tap < volume(c->kernel); tap++) {
            int64_t sd = partner(c, 0, d, tap / c->kernel[2] / c->kernel[1], backward),
                    sh = partner(c, 1, h, tap / c->kernel[2] % c->kernel[1], backward),
                    sw = partner(c, 2, w, tap % c->kernel[2], backward);
            if (sd >= 0 && sh >= 0 && sw >= 0)
                to[w] += weight[tap] * from[(sd * source[1] + sh) * source[2] + sw];
        }
    }
}

static void sum_planes(const dit_conv_geometry *c, bool backward, const float *from, const float *weight,
                       const float *bias, float *to)
{
    const int64_t *extent = backward ? c->in : c->out, *source = backward ? c->out : c->in;
    int64_t lines = extent[0] * extent[1];
#pragma omp parallel for num_threads(dit_cpu_threads())
    for (int64_t n = 0; n < c->B * c->groups; n++) {
        int64_t channel = n % c->groups;
        for (int64_t line = 0; line < lines; line++)
            (c->stride[2] == 1 ? sum_row : sum_row_strided)(
                c, backward, line / extent[1], line % extent[1], from + n * volume(source),
                weight + channel * volume(c->kernel), bias ? bias[channel] : 0, to + (n * lines + line) * extent[2]);
    }
}

void dit_depthwise(const dit_conv_geometry *c, const float *x, const float *weight, const float *bias, float *y)
{
    sum_planes(c, false, x, weight, bias, y);
}

void dit_depthwise_input(const dit_conv_geometry *c, const float *dy, const float *weight, const float *bias, float *dx)
{
    sum_planes(c, true, dy, weight, bias, dx);
}

// The sum of dy (out) times the elements of x (in) that one tap pairs it with, for one plane.
static double tap_gradient(const dit_conv_geometry *c, const float *dy, const float *x, int64_t kd, int64_t kh,
                           int64_t kw)
{
    vec sum = {0};
    float rest = 0;
    for (int64_t od = 0; od < c->out[0]; od++)
        for (int64_t oh = 0; oh < c->out[1]; oh++) {
            int64_t id = partner(c, 0, od, kd, false), ih = partner(c, 1, oh, kh, false);
            if (id < 0 || ih < 0)
                continue;
            const float *line = x + (id * c->in[1] + ih) * c->in[2], *dline = dy + (od * c->out[1] + oh) * c->out[2];
            if (c->stride[2] == 1)
                for (int64_t w = 0; w < c->out[2]; w += DIT_LANES) {
                    int64_t at = w + kw * c->dilation[2] - c->padding[2];
                    sum += vec_load_part(dline + w, 0, c->out[2] - w) * vec_load_part(line + at, -at, c->in[2] - at);
                }
            else
                for (int64_t w = 0; w < c->out[2]; w++) {
                    int64_t at = partner(c, 2, w, kw, false);
                    rest += at < 0 ? 0 : dline[w] * line[at];
                }
        }
    return (double)vec_sum(sum) + (double)rest;
}

void dit_depthwise_weight(const dit_conv_geometry *c, const float *dy, const float *x, float *dweight)
{
    int64_t taps = volume(c->kernel);
#pragma omp parallel for num_threads(dit_cpu_threads())
    for (int64_t n = 0; n < c->groups * taps; n++) {
        int64_t channel = n / taps, tap = n % taps;
        double sum = 0;
        for (int64_t b = 0; b < c->B; b++) {
            int64_t plane = b * c->groups + channel;
            sum +=
                tap_gradient(c, dy + plane * volume(c->out), x + plane * volume(c->in),
                             tap / c->kernel[2] / c->kernel[1], tap / c->kernel[2] % c->kernel[1], tap % c->kernel[2]);
        }
        dweight[n] = (float)sum;
    }
}
