// graph/ops/conv_backward_input.c: the gradient of a convolution with respect to its input: each dy[b, o, p] adds
// dy weight[o, c, t] to dx[b, c, p * stride + t * dilation - padding].
//   dy: (B, O, ...) float     weight: (O, C / groups, ...) float     dx: the shape that is asked for, dtype of dy
// Backward: it is linear in both, so its gradients are a convolution of its own gradient, and conv_backward_weight.
#include "graph/ops/convolution.h"

enum { DY, WEIGHT };

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_conv_backward_input_attributes *a = call->attributes;
    dit_status status = dit_rule_present(call, "conv_backward_input", 2, error);
    dit_shape y;
    if (status || (status = dit_rule_float(call, "conv_backward_input", DY, error)) ||
        (status = dit_rule_float(call, "conv_backward_input", WEIGHT, error)) ||
        (status = dit_rule_sane("conv_backward_input", &a->x, error)) ||
        (status = dit_conv_shape("conv_backward_input", &a->x, &call->in[WEIGHT].shape, &a->window, &y, error)))
        return status;
    char s[160], t[160];
    if (!dit_shape_equal(&y, &call->in[DY].shape))
        return dit_fail(error, DIT_BAD_ARGUMENT, "conv_backward_input: dy is %s; the convolution gives %s",
                        dit_shape_text(&call->in[DY].shape, s), dit_shape_text(&y, t));
    call->out[0].dtype = call->in[DY].dtype;
    call->out[0].shape = a->x;
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_conv_backward_input_attributes *a = c->attributes;
    if (c->wanted[DY])
        c->din[DY] = dit_conv(g, c->dout[0], c->in[WEIGHT], DIT_NONE, &a->window);
    if (c->wanted[WEIGHT])
        c->din[WEIGHT] =
            dit_conv_backward_weight(g, c->in[DY], c->dout[0], *dit_shape_of(g, c->in[WEIGHT]), &a->window);
}

struct sums {
    const double *dy, *weight;
    double *dx;
};

static void add(void *context, int64_t x, int64_t weight, int64_t y)
{
    struct sums *s = context;
    s->dx[x] += s->dy[y] * s->weight[weight];
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_conv_backward_input_attributes *a = call->attributes;
    dit_conv_geometry c = dit_conv_geometry_of(&a->x, &call->in[WEIGHT].shape, &call->in[DY].shape, &a->window);
    dit_conv_start(&a->x, NULL, out[0]);
    dit_conv_walk(&c, add, &(struct sums){in[DY], in[WEIGHT], out[0]});
}

static double flops(const dit_op_call *call)
{
    const dit_shape *weight = &call->in[WEIGHT].shape;
    return 2.0 * (double)dit_shape_count(&call->in[DY].shape) * (double)(dit_shape_count(weight) / weight->dim[0]);
}

const dit_op dit_op_conv_backward_input = {
    .name = "conv_backward_input",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .flops = flops,
    .attribute_bytes = sizeof(struct dit_conv_backward_input_attributes),
};

dit_tensor dit_conv_backward_input(dit_graph *g, dit_tensor dy, dit_tensor weight, dit_shape x,
                                   const dit_window *window)
{
    struct dit_conv_backward_input_attributes a = {.x = x, .window = *window};
    return dit_apply(g, DIT_OP_conv_backward_input, (dit_tensor[]){dy, weight}, 2, &a);
}
