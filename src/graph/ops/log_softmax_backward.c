// graph/ops/log_softmax_backward.c: dx = dy - exp(y) * sum(dy) along an axis.
//   dy: (...) f32, f16, bf16     y: float, the shape of dy: what log_softmax gave     axis: that of log_softmax     dx:
//   like dy
// No gradient of its own.
#include "graph/normalization.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_log_softmax_backward_attributes *a = call->attributes;
    return dit_shape_along_axis_backward("log_softmax_backward", a->axis, call, error);
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_log_softmax_backward_attributes *a = call->attributes;
    dit_axis_cut cut = dit_cut_at_axis(&call->in[0].shape, a->axis);
    for (int64_t r = 0; r < cut.outer * cut.inner; r++) {
        int64_t first = r / cut.inner * cut.n * cut.inner + r % cut.inner;
        const double *dy = in[0] + first, *y = in[1] + first;
        double *dx = out[0] + first, sum = 0;
        for (int64_t i = 0; i < cut.n * cut.inner; i += cut.inner)
            sum += dy[i];
        for (int64_t i = 0; i < cut.n * cut.inner; i += cut.inner)
            dx[i] = dy[i] - exp(y[i]) * sum;
    }
}

const dit_op dit_op_log_softmax_backward = {
    .name = "log_softmax_backward",
    .shape = shape,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_log_softmax_backward_attributes),
};

dit_tensor dit_log_softmax_backward(dit_graph *g, dit_tensor dy, dit_tensor y, int axis)
{
    struct dit_log_softmax_backward_attributes a = {.axis = axis};
    return dit_apply(g, DIT_OP_log_softmax_backward, (dit_tensor[]){dy, y}, 2, &a);
}
