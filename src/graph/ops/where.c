// graph/ops/where.c: y = condition ? a : b.
//   condition: bool     a, b: f32, f16, bf16 in any mixture, or both of one other dtype
//   y: the broadcast shape of all three, dtype of a
#include "graph/elementwise.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const dit_view *condition = &call->in[0];
    if (condition->dtype != DIT_BOOL)
        return dit_fail(error, DIT_BAD_ARGUMENT, "where: the condition is %s; it must be bool",
                        dit_is_absent(condition) ? "absent" : dit_dtype_name(condition->dtype));
    // A choice takes the pairs of dtypes that a comparison takes.
    dit_op_call pair = {.inputs = 2, .outputs = 1, .in = call->in + 1, .out = call->out};
    dit_status status = dit_shape_comparison("where", &pair, error);
    if (status)
        return status;
    dit_shape both = call->out[0].shape;
    call->out[0].dtype = call->in[1].dtype;
    return dit_broadcast_shapes("where", &condition->shape, &both, &call->out[0].shape, error);
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    dit_tensor zero = dit_scalar(g, 0);
    if (c->wanted[1])
        dit_give_gradient(g, c, 1, dit_where(g, c->in[0], c->dout[0], zero));
    if (c->wanted[2])
        dit_give_gradient(g, c, 2, dit_where(g, c->in[0], zero, c->dout[0]));
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const dit_shape *shapes[] = {&call->in[0].shape, &call->in[1].shape, &call->in[2].shape};
    dit_walk walk = dit_walk_start(&call->out[0].shape, 3, shapes);
    for (int64_t i = 0, n = dit_shape_count(&call->out[0].shape); i < n; i++, dit_walk_next(&walk))
        out[0][i] = in[0][walk.offset[0]] != 0 ? in[1][walk.offset[1]] : in[2][walk.offset[2]];
}

const dit_op dit_op_where = {.name = "where", .shape = shape, .gradient = gradient, .reference = reference};

dit_tensor dit_where(dit_graph *g, dit_tensor condition, dit_tensor a, dit_tensor b)
{
    return dit_apply(g, DIT_OP_where, (dit_tensor[]){condition, a, b}, 3, NULL);
}
