// graph/ops/avg_pool.c: the mean of a sliding window. torch's avg_pool1d, 2d, 3d with count_include_pad: padding counts
// as zeros, and every window is divided by its whole volume.
//   x: (B, C, [[D,] H,] W) float     window: extent, stride >= 1, padding <= extent / 2; dilation and groups are not
//   used y: (B, C, ...), each extent (x + 2 padding - extent) / stride + 1, rounded down
// Backward: avg_pool_backward spreads dy over each window.
#include "graph/ops/pool.h"
#include <string.h>

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_avg_pool_attributes *a = call->attributes;
    dit_status status = dit_rule_float(call, "avg_pool", 0, error);
    call->out[0].dtype = call->in[0].dtype;
    return status ? status : dit_pool_shape("avg_pool", &call->in[0].shape, &a->window, &call->out[0].shape, error);
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_avg_pool_attributes *a = c->attributes;
    c->din[0] = dit_avg_pool_backward(g, c->dout[0], *dit_shape_of(g, c->in[0]), &a->window);
}

struct sums {
    const double *x;
    double *y, scale;
};

static void add(void *context, int64_t x, int64_t y)
{
    struct sums *s = context;
    s->y[y] += s->scale * s->x[x];
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_avg_pool_attributes *a = call->attributes;
    dit_pool_geometry p = dit_pool_geometry_of(&call->in[0].shape, &call->out[0].shape, &a->window);
    struct sums s = {in[0], out[0], 1 / (double)(p.extent[0] * p.extent[1] * p.extent[2])};
    memset(out[0], 0, (size_t)dit_shape_count(&call->out[0].shape) * sizeof(double));
    dit_pool_walk(&p, add, &s);
}

const dit_op dit_op_avg_pool = {
    .name = "avg_pool",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_avg_pool_attributes),
};

dit_tensor dit_avg_pool(dit_graph *g, dit_tensor x, const dit_window *window)
{
    struct dit_avg_pool_attributes a = {.window = *window};
    return dit_apply(g, DIT_OP_avg_pool, &x, 1, &a);
}
