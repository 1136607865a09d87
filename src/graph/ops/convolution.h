// graph/ops/convolution.h: what the convolutions share: the shape rule's checks and a walk over all products.
#ifndef DIT_GRAPH_OPS_CONVOLUTION_H
#define DIT_GRAPH_OPS_CONVOLUTION_H

#include "backend/conv_geometry.h"
#include "graph/ops/rules.h"

// Fails unless the window and the weight (O, C / groups, ...), or the other way round for a transposed convolution, fit
// an input of `channels` channels. `axis` is the weight's that holds the input's channels.
static inline dit_status dit_conv_check(const char *op, const dit_shape *x, const dit_shape *weight,
                                        const dit_window *w, bool transposed, dit_error *error)
{
    char s[160], t[160];
    if (w->axes < 1 || w->axes > 3 || x->rank != w->axes + 2 || weight->rank != x->rank)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: x %s and weight %s do not fit a window over %d axes", op,
                        dit_shape_text(x, s), dit_shape_text(weight, t), w->axes);
    if (w->groups < 1 || weight->dim[0] < 1 || weight->dim[1] < 1 || x->dim[1] % w->groups ||
        weight->dim[0] % w->groups || x->dim[1] != (transposed ? weight->dim[0] : weight->dim[1] * w->groups))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: x %s does not fit weight %s in %d groups", op,
                        dit_shape_text(x, s), dit_shape_text(weight, t), w->groups);
    for (int i = 0; i < w->axes; i++)
        if (w->stride[i] < 1 || w->dilation[i] < 1 || w->padding[i] < 0 || weight->dim[i + 2] < 1 ||
            (transposed && (w->output_padding[i] < 0 ||
                            (w->output_padding[i] >= w->stride[i] && w->output_padding[i] >= w->dilation[i]))))
            return dit_fail(error, DIT_BAD_ARGUMENT,
                            "%s: stride %d, dilation %d, padding %d, output padding %d of axis %d are not possible", op,
                            w->stride[i], w->dilation[i], w->padding[i], w->output_padding[i], i + 2);
    return DIT_OK;
}

// How far a kernel of `extent` elements reaches, its first and last element included; INT64_MAX when that overflows.
static inline int64_t dit_conv_reach(int64_t extent, int dilation)
{
    int64_t reach;
    return __builtin_mul_overflow(extent - 1, dilation, &reach) || reach == INT64_MAX ? INT64_MAX : reach + 1;
}

// The shape of a convolution's result: each extent (x + 2 padding - dilation (kernel - 1) - 1) / stride + 1, rounded
// down.
static inline dit_status dit_conv_shape(const char *op, const dit_shape *x, const dit_shape *weight,
                                        const dit_window *w, dit_shape *y, dit_error *error)
{
    dit_status status = dit_conv_check(op, x, weight, w, false, error);
    if (status)
        return status;
    *y = *x;
    y->dim[1] = weight->dim[0];
    for (int i = 0; i < w->axes; i++) {
        int64_t padded, reach = dit_conv_reach(weight->dim[i + 2], w->dilation[i]);
        if (__builtin_add_overflow(x->dim[i + 2], 2 * (int64_t)w->padding[i], &padded) || padded < reach) {
            char s[160], t[160];
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s: x %s is smaller than the kernel of weight %s along axis %d",
                            op, dit_shape_text(x, s), dit_shape_text(weight, t), i + 2);
        }
        y->dim[i + 2] = (padded - reach) / w->stride[i] + 1;
    }
    return DIT_OK;
}

// Calls visit(context, index in x, index in weight, index in y) for each product that a convolution sums.
static inline void dit_conv_walk(const dit_conv_geometry *c,
                                 void (*visit)(void *context, int64_t x, int64_t weight, int64_t y), void *context)
{
    int64_t in = c->in[0] * c->in[1] * c->in[2], out = c->out[0] * c->out[1] * c->out[2],
            taps = c->kernel[0] * c->kernel[1] * c->kernel[2];
    for (int64_t n = 0; n < c->B * c->groups * c->O * out; n++) {
        int64_t pixel = n % out, channel = n / out % (c->groups * c->O), image = n / out / (c->groups * c->O);
        int64_t o[3] = {pixel / (c->out[1] * c->out[2]), pixel / c->out[2] % c->out[1], pixel % c->out[2]};
        for (int64_t tap = 0; tap < taps; tap++) {
            int64_t k[3] = {tap / (c->kernel[1] * c->kernel[2]), tap / c->kernel[2] % c->kernel[1], tap % c->kernel[2]};
            int64_t from = 0;
            for (int i = 0; i < 3; i++) {
                int64_t at = o[i] * c->stride[i] + k[i] * c->dilation[i] - c->padding[i];
                from = from < 0 || at < 0 || at >= c->in[i] ? -1 : from * c->in[i] + at;
            }
            for (int64_t ci = 0; from >= 0 && ci < c->C; ci++)
                visit(context, ((image * c->groups + channel / c->O) * c->C + ci) * in + from,
                      (channel * c->C + ci) * taps + tap, n);
        }
    }
}

// Starts each channel of y (B, O, ...) with its bias; zero without one.
static inline void dit_conv_start(const dit_shape *shape, const double *bias, double *y)
{
    int64_t count = dit_shape_count(shape), pixels = 1;
    for (int i = 2; i < shape->rank; i++)
        pixels *= shape->dim[i];
    for (int64_t i = 0; i < count; i++)
        y[i] = bias ? bias[i / pixels % shape->dim[1]] : 0;
}

// The sum of dy (B, O, ...) over all axes but that of the channels: the gradient of a bias.
static inline dit_tensor dit_conv_bias_gradient(dit_graph *g, dit_tensor dy)
{
    return dit_sum(g, dy, ((1u << dit_shape_of(g, dy)->rank) - 1) & ~2u, false);
}

#endif
