// graph/ops/one_hot.c: a row of zeros with a one at the id. torch.nn.functional.one_hot, as floats.
//   ids: (...) i32 or i64, clamped to 0 ..= classes - 1     y: (..., classes) f32
// Not differentiable.
#include "graph/ops/rules.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_one_hot_attributes *a = call->attributes;
    dit_status status = dit_rule_ids(call, "one_hot", 0, error);
    if (status)
        return status;
    const dit_shape *ids = &call->in[0].shape;
    char text[160];
    if (a->classes < 1 || ids->rank >= DIT_MAX_RANK)
        return dit_fail(error, DIT_BAD_ARGUMENT, "one_hot: ids %s cannot get an axis of %lld classes",
                        dit_shape_text(ids, text), (long long)a->classes);
    call->out[0].dtype = DIT_F32;
    call->out[0].shape = *ids;
    call->out[0].shape.dim[call->out[0].shape.rank++] = a->classes;
    return DIT_OK;
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_one_hot_attributes *a = call->attributes;
    int64_t count = dit_shape_count(&call->in[0].shape);
    for (int64_t i = 0; i < count; i++)
        for (int64_t c = 0; c < a->classes; c++)
            out[0][i * a->classes + c] = c == dit_clamped_id(in[0][i], a->classes);
}

const dit_op dit_op_one_hot = {
    .name = "one_hot",
    .shape = shape,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_one_hot_attributes),
};

dit_tensor dit_one_hot(dit_graph *g, dit_tensor ids, int64_t classes)
{
    struct dit_one_hot_attributes a = {.classes = classes};
    return dit_apply(g, DIT_OP_one_hot, &ids, 1, &a);
}
