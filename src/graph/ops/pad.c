// graph/ops/pad.c: x with elements added before and after each axis. torch.nn.functional.pad, over every axis.
//   x: any dtype     before, after: counts >= 0, one an axis     y: each extent grows by both
//   mode: DIT_PAD_VALUE fills with `value`; DIT_PAD_REPLICATE repeats the border element; DIT_PAD_REFLECT mirrors
//   around it, so that a count must be below the extent.
// Backward: pad_backward adds up what each element of x was copied to.
#include "graph/ops/pad.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_pad_attributes *a = call->attributes;
    const dit_view *x = &call->in[0];
    dit_status status = dit_rule_present(call, "pad", 1, error);
    if (status)
        return status;
    call->out[0].dtype = x->dtype;
    call->out[0].shape = x->shape;
    for (int i = 0; i < x->shape.rank; i++) {
        char text[160];
        if (!dit_pad_fits(x->shape.dim[i], a->before[i], a->after[i], a->mode, &call->out[0].shape.dim[i]))
            return dit_fail(error, DIT_BAD_ARGUMENT, "pad: axis %d of %s cannot grow by %lld before and %lld after%s",
                            i, dit_shape_text(&x->shape, text), (long long)a->before[i], (long long)a->after[i],
                            a->mode == DIT_PAD_REFLECT ? " by reflection" : "");
    }
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_pad_attributes *a = c->attributes;
    c->din[0] = dit_pad_backward(g, c->dout[0], a->before, a->after, a->mode);
}

struct fill {
    const double *x;
    double *y, value;
};

static void take(void *context, int64_t to, int64_t from)
{
    struct fill *f = context;
    f->y[to] = from < 0 ? f->value : f->x[from];
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_pad_attributes *a = call->attributes;
    bool boolean = call->in[0].dtype == DIT_BOOL;
    struct fill f = {in[0], out[0], boolean ? a->value != 0 : (double)a->value};
    dit_pad_walk(&call->in[0].shape, &call->out[0].shape, a->before, a->mode, take, &f);
}

const dit_op dit_op_pad = {
    .name = "pad",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_pad_attributes),
};

// `before` and `after` hold one count for each axis of x.
dit_tensor dit_pad(dit_graph *g, dit_tensor x, const int64_t *before, const int64_t *after, dit_pad_mode mode,
                   float value)
{
    struct dit_pad_attributes a = {.mode = mode, .value = value};
    for (int i = 0; i < dit_shape_of(g, x)->rank; i++) {
        a.before[i] = before[i];
        a.after[i] = after[i];
    }
    return dit_apply(g, DIT_OP_pad, &x, 1, &a);
}
