// graph/ops/conv_transpose.c: the transposed convolution: each x[b, c, p] adds x weight[c, o, t] to
// y[b, o, p * stride + t * dilation - padding]. torch's conv_transpose1d, 2d.
//   x: (B, C, [H,] W) float     weight: (C, O / groups, ...) float     bias: (O), may be absent
//   y: (B, O, ...), dtype of x, extents (x - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1
// Backward: with respect to x a convolution of dy with the same weight; to the weight conv_backward_weight, in which x
// and dy change places.
#include "graph/ops/convolution.h"

enum { X, WEIGHT, BIAS };

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_conv_transpose_attributes *a = call->attributes;
    const dit_window *w = &a->window;
    dit_status status = dit_rule_present(call, "conv_transpose", 2, error);
    if (status || (status = dit_rule_float(call, "conv_transpose", X, error)) ||
        (status = dit_rule_float(call, "conv_transpose", WEIGHT, error)))
        return status;
    const dit_shape *x = &call->in[X].shape, *weight = &call->in[WEIGHT].shape;
    if ((status = dit_conv_check("conv_transpose", x, weight, w, true, error)))
        return status;
    dit_shape y = *x;
    bool fits = !__builtin_mul_overflow(weight->dim[1], w->groups, &y.dim[1]);
    for (int i = 0; fits && i < w->axes; i++) {
        int64_t reach = dit_conv_reach(weight->dim[i + 2], w->dilation[i]), extent = 0;
        fits = x->dim[i + 2] >= 1 && !__builtin_mul_overflow(x->dim[i + 2] - 1, (int64_t)w->stride[i], &extent) &&
               !__builtin_add_overflow(extent, reach, &extent) &&
               !__builtin_add_overflow(extent, w->output_padding[i] - 2 * (int64_t)w->padding[i], &extent) &&
               extent >= 1;
        y.dim[i + 2] = extent;
    }
    char s[160], t[160];
    if (!fits)
        return dit_fail(error, DIT_BAD_ARGUMENT, "conv_transpose: x %s with weight %s and this window gives no picture",
                        dit_shape_text(x, s), dit_shape_text(weight, t));
    if (!dit_is_absent(&call->in[BIAS]) && !dit_shape_equal(&call->in[BIAS].shape, &DIT_SHAPE(y.dim[1])))
        return dit_fail(error, DIT_BAD_ARGUMENT, "conv_transpose: bias %s does not fit weight %s in %d groups",
                        dit_shape_text(&call->in[BIAS].shape, s), dit_shape_text(weight, t), w->groups);
    call->out[0].dtype = call->in[X].dtype;
    call->out[0].shape = y;
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_conv_transpose_attributes *a = c->attributes;
    if (c->wanted[X])
        c->din[X] = dit_conv(g, c->dout[0], c->in[WEIGHT], DIT_NONE, &a->window);
    if (c->wanted[WEIGHT])
        c->din[WEIGHT] = dit_conv_backward_weight(g, c->in[X], c->dout[0], *dit_shape_of(g, c->in[WEIGHT]), &a->window);
    if (c->wanted[BIAS])
        c->din[BIAS] = dit_conv_bias_gradient(g, c->dout[0]);
}

struct sums {
    const double *x, *weight;
    double *y;
};

static void add(void *context, int64_t y, int64_t weight, int64_t x)
{
    struct sums *s = context;
    s->y[y] += s->x[x] * s->weight[weight];
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_conv_transpose_attributes *a = call->attributes;
    const dit_shape *y = &call->out[0].shape;
    dit_conv_geometry c = dit_conv_geometry_of(y, &call->in[WEIGHT].shape, &call->in[X].shape, &a->window);
    dit_conv_start(y, in[BIAS], out[0]);
    dit_conv_walk(&c, add, &(struct sums){in[X], in[WEIGHT], out[0]});
}

static double flops(const dit_op_call *call)
{
    const dit_shape *weight = &call->in[WEIGHT].shape;
    return 2.0 * (double)dit_shape_count(&call->in[X].shape) * (double)(dit_shape_count(weight) / weight->dim[0]);
}

const dit_op dit_op_conv_transpose = {
    .name = "conv_transpose",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .flops = flops,
    .attribute_bytes = sizeof(struct dit_conv_transpose_attributes),
};

dit_tensor dit_conv_transpose(dit_graph *g, dit_tensor x, dit_tensor weight, dit_tensor bias, const dit_window *window)
{
    struct dit_conv_transpose_attributes a = {.window = *window};
    return dit_apply(g, DIT_OP_conv_transpose, (dit_tensor[]){x, weight, bias}, 3, &a);
}
