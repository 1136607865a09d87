// graph/ops/repeat.c: x laid out times[i] times along axis i. numpy.tile, torch.Tensor.repeat.
//   x: any dtype     times: counts >= 1, one an axis     y: extent i is times[i] * that of x
// Backward: dy summed over the copies, one axis at a time.
#include "graph/ops/rules.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_repeat_attributes *a = call->attributes;
    const dit_view *x = &call->in[0];
    dit_status status = dit_rule_present(call, "repeat", 1, error);
    if (status)
        return status;
    call->out[0].dtype = x->dtype;
    call->out[0].shape = x->shape;
    for (int i = 0; i < x->shape.rank; i++) {
        char text[160];
        if (a->times[i] < 1 || __builtin_mul_overflow(x->shape.dim[i], a->times[i], &call->out[0].shape.dim[i]))
            return dit_fail(error, DIT_BAD_ARGUMENT, "repeat: axis %d of %s cannot be repeated %lld times", i,
                            dit_shape_text(&x->shape, text), (long long)a->times[i]);
    }
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_repeat_attributes *a = c->attributes;
    dit_shape x = *dit_shape_of(g, c->in[0]);
    dit_tensor d = c->dout[0];
    for (int i = 0; i < x.rank; i++) {
        if (a->times[i] == 1)
            continue;
        dit_shape smaller = *dit_shape_of(g, d);
        dit_split_shape s = dit_split_at(&smaller, i);
        smaller.dim[i] = x.dim[i];
        d = dit_reshape(g, d, DIT_SHAPE(s.outer, a->times[i], x.dim[i], s.inner));
        d = dit_reshape(g, dit_sum(g, d, 1u << 1, false), smaller);
    }
    c->din[0] = d;
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const dit_shape *x = &call->in[0].shape, *y = &call->out[0].shape;
    int64_t count = dit_shape_count(y);
    for (int64_t n = 0; n < count; n++) {
        int64_t rest = n, from = 0, step = 1;
        for (int i = y->rank - 1; i >= 0; i--) {
            from += rest % y->dim[i] % x->dim[i] * step;
            rest /= y->dim[i];
            step *= x->dim[i];
        }
        out[0][n] = in[0][from];
    }
}

const dit_op dit_op_repeat = {
    .name = "repeat",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_repeat_attributes),
};

// `times` holds one count for each axis of x.
dit_tensor dit_repeat(dit_graph *g, dit_tensor x, const int64_t *times)
{
    struct dit_repeat_attributes a = {{0}};
    for (int i = 0; i < dit_shape_of(g, x)->rank; i++)
        a.times[i] = times[i];
    return dit_apply(g, DIT_OP_repeat, &x, 1, &a);
}
