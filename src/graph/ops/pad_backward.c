// graph/ops/pad_backward.c: dx of pad: each element of dx is the sum of dy over the places that pad copied it to.
//   dy: float     before, after, mode: as pad was given     dx: dy without the padding
// Backward: pad itself, which fills with 0 where pad filled with its value.
#include "graph/ops/pad.h"
#include <string.h>

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_pad_backward_attributes *a = call->attributes;
    const dit_view *dy = &call->in[0];
    dit_status status = dit_rule_float(call, "pad_backward", 0, error);
    if (status)
        return status;
    call->out[0].dtype = dy->dtype;
    call->out[0].shape = dy->shape;
    for (int i = 0; i < dy->shape.rank; i++) {
        int64_t extent = dy->shape.dim[i], padded;
        bool fits =
            a->before[i] >= 0 && a->after[i] >= 0 && a->before[i] <= extent && a->after[i] <= extent - a->before[i];
        extent -= fits ? a->before[i] + a->after[i] : 0;
        if (!fits || !dit_pad_fits(extent, a->before[i], a->after[i], a->mode, &padded)) {
            char text[160];
            return dit_fail(error, DIT_BAD_ARGUMENT,
                            "pad_backward: axis %d of %s cannot have grown by %lld before and %lld after", i,
                            dit_shape_text(&dy->shape, text), (long long)a->before[i], (long long)a->after[i]);
        }
        call->out[0].shape.dim[i] = extent;
    }
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_pad_backward_attributes *a = c->attributes;
    c->din[0] = dit_pad(g, c->dout[0], a->before, a->after, a->mode, 0);
}

struct sums {
    const double *dy;
    double *dx;
};

static void add(void *context, int64_t to, int64_t from)
{
    struct sums *s = context;
    if (from >= 0)
        s->dx[from] += s->dy[to];
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_pad_backward_attributes *a = call->attributes;
    struct sums s = {in[0], out[0]};
    memset(out[0], 0, (size_t)dit_shape_count(&call->out[0].shape) * sizeof(double));
    dit_pad_walk(&call->out[0].shape, &call->in[0].shape, a->before, a->mode, add, &s);
}

const dit_op dit_op_pad_backward = {
    .name = "pad_backward",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_pad_backward_attributes),
};

dit_tensor dit_pad_backward(dit_graph *g, dit_tensor dy, const int64_t *before, const int64_t *after, dit_pad_mode mode)
{
    struct dit_pad_backward_attributes a = {.mode = mode};
    for (int i = 0; i < dit_shape_of(g, dy)->rank; i++) {
        a.before[i] = before[i];
        a.after[i] = after[i];
    }
    return dit_apply(g, DIT_OP_pad_backward, &dy, 1, &a);
}
