// graph/ops/rope_table.c: cosines and sines of rotary positions (Su et al. 2021, arXiv 2104.09864, section 3.2.2), one
// to three axes side by side in a head. The numbers are those of diffusers' get_1d_rotary_pos_embed for each axis.
//   positions: (..., T, axes) f32, any value (fractional and negative ones turn as they should)
//   split: even feature counts, one an axis, that add up to D; pair i of an axis turns by position * theta^(-2i /
//   split) angles: DIT_F64 (Flux, Lumina 2, Wan) or DIT_F32 (HunyuanDiT, Qwen-Image): the type in which the reference
//   takes powers, frequencies and angles. Far from the origin the two differ visibly. y: (..., T, D/2, 2) f32: cosine,
//   sine
// Not differentiable.
#include "backend/rounding.h"
#include "graph/ops/rules.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_rope_table_attributes *a = call->attributes;
    dit_status status = dit_rule_present(call, "rope_table", 1, error);
    if (status)
        return status;
    const dit_view *positions = &call->in[0];
    const dit_shape *s = &positions->shape;
    char text[160];
    if (positions->dtype != DIT_F32 || s->rank < 2 || s->rank >= DIT_MAX_RANK || a->axes < 1 || a->axes > 3 ||
        s->dim[s->rank - 1] != a->axes)
        return dit_fail(error, DIT_BAD_ARGUMENT, "rope_table: positions are %s %s; they must be f32 (..., T, %d axes)",
                        dit_dtype_name(positions->dtype), dit_shape_text(s, text), a->axes);
    int64_t features = 0;
    for (int i = 0; i < a->axes; i++) {
        if (a->split[i] < 0 || a->split[i] % 2)
            return dit_fail(error, DIT_BAD_ARGUMENT, "rope_table: axis %d turns %d features; it must be an even number",
                            i, a->split[i]);
        features += a->split[i];
    }
    if (features == 0 || !(a->theta > 0) || a->theta > 1e30f)
        return dit_fail(error, DIT_BAD_ARGUMENT, "rope_table: %lld features with theta %g; both must be above 0",
                        (long long)features, (double)a->theta);
    if (a->angles != DIT_F32 && a->angles != DIT_F64)
        return dit_fail(error, DIT_BAD_ARGUMENT, "rope_table: angles are computed in f32 or f64");
    call->out[0].dtype = DIT_F32;
    call->out[0].shape = *s;
    call->out[0].shape.dim[s->rank - 1] = features / 2;
    call->out[0].shape.dim[call->out[0].shape.rank++] = 2;
    return DIT_OK;
}

static void reference(const dit_op_call *call, const double *const *in, double *const *out)
{
    const struct dit_rope_table_attributes *a = call->attributes;
    int64_t tokens = dit_shape_count(&call->in[0].shape) / a->axes;
    double *y = out[0];
    for (int64_t t = 0; t < tokens; t++)
        for (int axis = 0; axis < a->axes; axis++)
            for (int64_t i = 0; i < a->split[axis] / 2; i++) {
                double frequency = dit_rope_frequency(i, a->split[axis], a->theta, a->angles);
                double angle = dit_rope_angle((float)in[0][t * a->axes + axis], frequency, a->angles);
                *y++ = cos(angle);
                *y++ = sin(angle);
            }
}

const dit_op dit_op_rope_table = {
    .name = "rope_table",
    .shape = shape,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_rope_table_attributes),
};

// `split` holds one count for each axis.
dit_tensor dit_rope_table(dit_graph *g, dit_tensor positions, int axes, const int *split, float theta, dit_dtype angles)
{
    struct dit_rope_table_attributes a = {.axes = axes, .theta = theta, .angles = angles};
    for (int i = 0; i < axes && i < 3; i++)
        a.split[i] = split[i];
    return dit_apply(g, DIT_OP_rope_table, &positions, 1, &a);
}
