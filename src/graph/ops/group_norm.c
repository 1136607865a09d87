// graph/ops/group_norm.c: y = (x - mean) / sqrt(variance + eps) * weight + bias, mean and (biased) variance over the
// channels of a group and all positions. Wu and He 2018 (arXiv 1803.08494), equations 1 to 7.
//   x: (B, C, ...) f32, f16, bf16     weight, bias: (C) float, either may be absent     groups: divides C     eps: >= 0
//   y: like x     activation of the result: from fusion only, f32
#include "graph/activation.h"
#include "graph/normalization.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_group_norm_attributes *a = call->attributes;
    const dit_shape *x = &call->in[0].shape;
    dit_status status = dit_shape_along_axis("group_norm", 1, call, error);
    if (status)
        return status;
    if (a->groups < 1 || x->dim[1] % a->groups)
        return dit_fail(error, DIT_BAD_ARGUMENT, "group_norm: %lld channels do not make %d groups",
                        (long long)x->dim[1], a->groups);
    status = dit_check_vector("group_norm", "weight", &call->in[1], x->dim[1], error);
    return status ? status : dit_check_vector("group_norm", "bias", &call->in[2], x->dim[1], error);
}

static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    const struct dit_group_norm_attributes *a = c->attributes;
    c->din[0] = dit_group_norm_backward(g, c->dout[0], c->in[0], c->in[1], a->groups, a->eps);
    if (!dit_is_none(c->in[1])) {
        c->din[1] = dit_sibling(g, c->din[0], 1);
        c->din[2] = dit_sibling(g, c->din[0], 2);
    } else if (c->wanted[2]) {
        int rank = dit_shape_of(g, c->in[0])->rank;
        c->din[2] = dit_sum(g, c->dout[0], ((1u << rank) - 1) & ~2u, false);
    }
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_group_norm_attributes *a = call->attributes;
    const dit_shape *s = &call->in[0].shape;
    dit_axis_cut cut = dit_cut_at_axis(s, 1);
    int64_t channels = cut.n / a->groups, n = channels * cut.inner;
    for (int64_t r = 0; r < cut.outer * a->groups; r++) {
        dit_moments m = dit_moments_of(in[0] + r * n, n, (double)a->eps, false);
        for (int64_t i = 0; i < n; i++) {
            int64_t c = r % a->groups * channels + i / cut.inner;
            double normal = (in[0][r * n + i] - m.mean) * m.scale;
            out[0][r * n + i] = dit_activated(a->activation, normal * (in[1] ? in[1][c] : 1) + (in[2] ? in[2][c] : 0));
        }
    }
}

const dit_op dit_op_group_norm = {
    .name = "group_norm",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_group_norm_attributes),
};

dit_tensor dit_group_norm(dit_graph *g, dit_tensor x, dit_tensor weight, dit_tensor bias, int groups, float eps)
{
    struct dit_group_norm_attributes a = {.groups = groups, .eps = eps};
    return dit_apply(g, DIT_OP_group_norm, (dit_tensor[]){x, weight, bias}, 3, &a);
}
