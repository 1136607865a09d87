// graph/ops/avg_pool_backward.c: dx of avg_pool: every element of x gets its share of the windows that cover it.
//   dy: float, the shape that avg_pool gives     x: the shape of avg_pool's input     dx: x
// Backward: avg_pool.
#include "graph/ops/pool.h"
#include <string.h>

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_avg_pool_backward_attributes *a = call->attributes;
    dit_shape y;
    dit_status status = dit_rule_float(call, "avg_pool_backward", 0, error);
    if (status || (status = dit_rule_sane("avg_pool_backward", &a->x, error)) ||
        (status = dit_pool_shape("avg_pool_backward", &a->x, &a->window, &y, error)))
        return status;
    if (!dit_shape_equal(&y, &call->in[0].shape)) {
        char s[160], t[160];
        return dit_fail(error, DIT_BAD_ARGUMENT, "avg_pool_backward: dy %s is not what pooling %s gives",
                        dit_shape_text(&call->in[0].shape, s), dit_shape_text(&a->x, t));
    }
    call->out[0].dtype = call->in[0].dtype;
    call->out[0].shape = a->x;
    return DIT_OK;
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_avg_pool_backward_attributes *a = c->attributes;
    c->din[0] = dit_avg_pool(g, c->dout[0], &a->window);
}

struct sums {
    const double *dy;
    double *dx, scale;
};

static void add(void *context, int64_t x, int64_t y)
{
    struct sums *s = context;
    s->dx[x] += s->scale * s->dy[y];
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_avg_pool_backward_attributes *a = call->attributes;
    dit_pool_geometry p = dit_pool_geometry_of(&a->x, &call->in[0].shape, &a->window);
    struct sums s = {in[0], out[0], 1 / (double)(p.extent[0] * p.extent[1] * p.extent[2])};
    memset(out[0], 0, (size_t)dit_shape_count(&a->x) * sizeof(double));
    dit_pool_walk(&p, add, &s);
}

const dit_op dit_op_avg_pool_backward = {
    .name = "avg_pool_backward",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_avg_pool_backward_attributes),
};

dit_tensor dit_avg_pool_backward(dit_graph *g, dit_tensor dy, dit_shape x, const dit_window *window)
{
    struct dit_avg_pool_backward_attributes a = {x, *window};
    return dit_apply(g, DIT_OP_avg_pool_backward, &dy, 1, &a);
}
