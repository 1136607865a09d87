// graph/ops/conv.c: y[b, o, p] = bias[o] + sum over c, t of x[b, c, p * stride + t * dilation - padding] weight[o, c,
// t], over one to three spatial axes; x is zero outside. torch's conv1d, 2d, 3d.
//   x: (B, C, [[D,] H,] W) float     weight: (O, C / groups, ...) float     bias: (O), may be absent
//   y: (B, O, ...), dtype of x, extents (x + 2 padding - dilation (kernel - 1) - 1) / stride + 1, rounded down
//   window: stride, dilation >= 1, padding >= 0; channels o of group i (O / groups of them) see channels c of group i
// Made by fusion only, f32: y = residual + activation(as above), where with `doubled` every element of x (two spatial
// axes) is repeated along both axes first.
//   residual: like y, may be absent; not where every channel is a group of its own
// Backward: conv_backward_input, conv_backward_weight, and the sum of dy for the bias.
#include "graph/activation.h"
#include "graph/ops/convolution.h"
#include <stdlib.h>

enum { X, WEIGHT, BIAS, RESIDUAL };

// The picture that the kernel slides over.
static dit_shape picture_of(const dit_op_call *call)
{
    const struct dit_conv_attributes *a = call->attributes;
    dit_shape x = call->in[X].shape;
    for (int i = 2; a->doubled && i < x.rank; i++)
        x.dim[i] *= 2;
    return x;
}

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_conv_attributes *a = call->attributes;
    dit_status status = dit_rule_present(call, "conv", 2, error);
    if (status || (status = dit_rule_float(call, "conv", X, error)) ||
        (status = dit_rule_float(call, "conv", WEIGHT, error)))
        return status;
    const dit_shape *weight = &call->in[WEIGHT].shape;
    if (a->doubled && (call->in[X].shape.rank != 4 || dit_shape_check(&call->in[X].shape, DIT_F32, error)))
        return dit_fail(error, DIT_BAD_ARGUMENT, "conv: what is doubled has two spatial axes");
    dit_shape x = picture_of(call);
    if ((status = dit_conv_shape("conv", &x, weight, &a->window, &call->out[0].shape, error)))
        return status;
    if (!dit_is_absent(&call->in[BIAS]) && !dit_shape_equal(&call->in[BIAS].shape, &DIT_SHAPE(weight->dim[0]))) {
        char s[160], t[160];
        return dit_fail(error, DIT_BAD_ARGUMENT, "conv: bias %s does not fit weight %s",
                        dit_shape_text(&call->in[BIAS].shape, s), dit_shape_text(weight, t));
    }
    if (call->inputs > RESIDUAL && !dit_is_absent(&call->in[RESIDUAL])) {
        if ((status = dit_rule_float(call, "conv", RESIDUAL, error)))
            return status;
        bool depthwise = weight->dim[0] == a->window.groups && weight->dim[1] == 1;
        if (depthwise || !dit_shape_equal(&call->in[RESIDUAL].shape, &call->out[0].shape)) {
            char s[160], t[160];
            return dit_fail(error, DIT_BAD_ARGUMENT, "conv: residual %s does not fit y %s",
                            dit_shape_text(&call->in[RESIDUAL].shape, s), dit_shape_text(&call->out[0].shape, t));
        }
    }
    call->out[0].dtype = call->in[X].dtype;
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_conv_attributes *a = c->attributes;
    if (c->wanted[X])
        c->din[X] = dit_conv_backward_input(g, c->dout[0], c->in[WEIGHT], *dit_shape_of(g, c->in[X]), &a->window);
    if (c->wanted[WEIGHT])
        c->din[WEIGHT] = dit_conv_backward_weight(g, c->dout[0], c->in[X], *dit_shape_of(g, c->in[WEIGHT]), &a->window);
    if (c->wanted[BIAS])
        c->din[BIAS] = dit_conv_bias_gradient(g, c->dout[0]);
}

struct sums {
    const double *x, *weight;
    double *y;
};

static void add(void *context, int64_t x, int64_t weight, int64_t y)
{
    struct sums *s = context;
    s->y[y] += s->x[x] * s->weight[weight];
}

// x (planes, H, W) with every element repeated along both axes; NULL when memory is out.
static double *doubled(const dit_shape *x, const double *from)
{
    int64_t H = x->dim[2], W = x->dim[3], rows = x->dim[0] * x->dim[1] * 2 * H;
    double *to = malloc((size_t)(rows * 2 * W + 1) * sizeof *to);
    for (int64_t n = 0; to && n < rows * 2 * W; n++)
        to[n] = from[(n / (2 * W) / (2 * H) * H + n / (2 * W) % (2 * H) / 2) * W + n % (2 * W) / 2];
    return to;
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_conv_attributes *a = call->attributes;
    const dit_shape *y = &call->out[0].shape, x = picture_of(call);
    dit_conv_geometry c = dit_conv_geometry_of(&x, &call->in[WEIGHT].shape, y, &a->window);
    double *own = a->doubled ? doubled(&call->in[X].shape, in[X]) : NULL;
    const double *residual = call->inputs > RESIDUAL ? in[RESIDUAL] : NULL;
    dit_conv_start(y, call->inputs > BIAS ? in[BIAS] : NULL, out[0]);
    if (own || !a->doubled)
        dit_conv_walk(&c, add, &(struct sums){own ? own : in[X], in[WEIGHT], out[0]});
    for (int64_t i = 0; i < dit_shape_count(y); i++)
        out[0][i] = dit_activated(a->activation, out[0][i]) + (residual ? residual[i] : 0);
    free(own);
}

static double flops(const dit_op_call *call)
{
    const dit_shape *weight = &call->in[WEIGHT].shape;
    return 2.0 * (double)dit_shape_count(&call->out[0].shape) * (double)(dit_shape_count(weight) / weight->dim[0]);
}

const dit_op dit_op_conv = {
    .name = "conv",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .flops = flops,
    .attribute_bytes = sizeof(struct dit_conv_attributes),
};

dit_tensor dit_conv(dit_graph *g, dit_tensor x, dit_tensor weight, dit_tensor bias, const dit_window *window)
{
    struct dit_conv_attributes a = {.window = *window};
    return dit_apply(g, DIT_OP_conv, (dit_tensor[]){x, weight, bias}, 3, &a);
}
