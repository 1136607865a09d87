// graph/ops/conv_backward_weight.c: the gradient of a convolution with respect to its weight:
// dweight[o, c, t] = sum over b, p of dy[b, o, p] x[b, c, p * stride + t * dilation - padding].
//   dy: (B, O, ...) float     x: (B, C, ...) float     dweight: the shape that is asked for, (O, C / groups, ...),
//   dtype of dy
// Backward: it is linear in both, so its gradients are a convolution with its own gradient, and conv_backward_input.
#include "graph/ops/convolution.h"

enum { DY, X };

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_conv_backward_weight_attributes *a = call->attributes;
    dit_status status = dit_rule_present(call, "conv_backward_weight", 2, error);
    dit_shape y;
    if (status || (status = dit_rule_float(call, "conv_backward_weight", DY, error)) ||
        (status = dit_rule_float(call, "conv_backward_weight", X, error)) ||
        (status = dit_rule_sane("conv_backward_weight", &a->weight, error)) ||
        (status = dit_conv_shape("conv_backward_weight", &call->in[X].shape, &a->weight, &a->window, &y, error)))
        return status;
    char s[160], t[160];
    if (!dit_shape_equal(&y, &call->in[DY].shape))
        return dit_fail(error, DIT_BAD_ARGUMENT, "conv_backward_weight: dy is %s; the convolution gives %s",
                        dit_shape_text(&call->in[DY].shape, s), dit_shape_text(&y, t));
    call->out[0].dtype = call->in[DY].dtype;
    call->out[0].shape = a->weight;
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_conv_backward_weight_attributes *a = c->attributes;
    if (c->wanted[DY])
        c->din[DY] = dit_conv(g, c->in[X], c->dout[0], DIT_NONE, &a->window);
    if (c->wanted[X])
        c->din[X] = dit_conv_backward_input(g, c->in[DY], c->dout[0], *dit_shape_of(g, c->in[X]), &a->window);
}

struct sums {
    const double *dy, *x;
    double *dweight;
};

static void add(void *context, int64_t x, int64_t weight, int64_t y)
{
    struct sums *s = context;
    s->dweight[weight] += s->dy[y] * s->x[x];
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_conv_backward_weight_attributes *a = call->attributes;
    dit_conv_geometry c = dit_conv_geometry_of(&call->in[X].shape, &a->weight, &call->in[DY].shape, &a->window);
    dit_conv_start(&a->weight, NULL, out[0]);
    dit_conv_walk(&c, add, &(struct sums){in[DY], in[X], out[0]});
}

static double flops(const dit_op_call *call)
{
    const struct dit_conv_backward_weight_attributes *a = call->attributes;
    return 2.0 * (double)dit_shape_count(&call->in[DY].shape) *
           (double)(dit_shape_count(&a->weight) / a->weight.dim[0]);
}

const dit_op dit_op_conv_backward_weight = {
    .name = "conv_backward_weight",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .flops = flops,
    .attribute_bytes = sizeof(struct dit_conv_backward_weight_attributes),
};

dit_tensor dit_conv_backward_weight(dit_graph *g, dit_tensor dy, dit_tensor x, dit_shape weight,
                                    const dit_window *window)
{
    struct dit_conv_backward_weight_attributes a = {.weight = weight, .window = *window};
    return dit_apply(g, DIT_OP_conv_backward_weight, (dit_tensor[]){dy, x}, 2, &a);
}
