// graph/ops/mse.c: y = mean((a - b)^2), over all elements.
//   a, b: (...) f32, f16, bf16, of one shape that holds at least one element     y: () dtype of a
#include "graph/elementwise.h"
#include "graph/normalization.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const dit_view *a = &call->in[0];
    if (!dit_dtype_is_float(a->dtype) || dit_shape_count(&a->shape) == 0)
        return dit_fail(error, DIT_BAD_ARGUMENT, "mse: needs float tensors with at least one element");
    dit_set_output(call, 0, a->dtype, DIT_SCALAR);
    return dit_check_like("mse", "b", &call->in[1], a, error);
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    int64_t n = dit_shape_count(dit_shape_of(g, c->in[0]));
    dit_tensor factor = dit_affine(g, c->dout[0], 2 / (float)n, 0);
    for (int k = 0; k < 2; k++)
        if (c->wanted[k]) { // the factor first: its dtype, f32, is that of the product
            dit_tensor difference = dit_sub(g, dit_in_f32(g, c->in[k]), c->in[1 - k]);
            c->din[k] = dit_mul(g, factor, difference);
        }
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    int64_t n = dit_shape_count(&call->in[0].shape);
    out[0][0] = 0;
    for (int64_t i = 0; i < n; i++)
        out[0][0] += (in[0][i] - in[1][i]) * (in[0][i] - in[1][i]) / (double)n;
}

const dit_op dit_op_mse = {.name = "mse", .shape = shape, .gradient = gradient, .reference = reference};

dit_tensor dit_mse(dit_graph *g, dit_tensor a, dit_tensor b)
{
    return dit_apply(g, DIT_OP_mse, (dit_tensor[]){a, b}, 2, NULL);
}
