// graph/ops/cast.c: x in another dtype.
//   x: (...) f32, f16, bf16, i32, i64, u8, bool     y: (...) the dtype asked for, one of these
// To a float: rounded to nearest even. Float to integer: towards zero, what is out of range to the nearest end of it,
// NaN to 0. Integer to a narrower integer: the low bits. To bool: x != 0. A kernel reads the dtype from its output.
#include "graph/elementwise.h"

static dit_status shape(dit_op_call *call, dit_error *error)
{
    const struct dit_cast_attributes *a = call->attributes;
    if (dit_is_absent(&call->in[0]) || call->in[0].dtype == DIT_F64 || (unsigned)a->dtype >= DIT_F64)
        return dit_fail(error, DIT_BAD_ARGUMENT, "cast: from %s to %s is not possible",
                        dit_is_absent(&call->in[0]) ? "nothing" : dit_dtype_name(call->in[0].dtype),
                        (unsigned)a->dtype < DIT_DTYPES ? dit_dtype_name(a->dtype) : "an unknown dtype");
    call->out[0].dtype = a->dtype;
    call->out[0].shape = call->in[0].shape;
    return DIT_OK;
}

// Gradients are f32 whatever the dtype of the value, so nothing is rounded on the way back.
static void gradient(dit_graph *g, const dit_gradient_call *c)
{
    if (dit_dtype_is_float(dit_dtype_of(g, c->in[0])))
        c->din[0] = c->dout[0];
}

// From `low` up to and without `end`, both exact in float64.
static double clipped_integer(double x, double low, double end)
{
    return isnan(x) ? 0 : x < low ? low : x >= end ? end - 1 : trunc(x);
}

static double converted(double x, const dit_op_call *call)
{
    bool from_float = dit_dtype_is_float(call->in[0].dtype);
    switch (call->out[0].dtype) {
    case DIT_I32:
        return from_float ? clipped_integer(x, -0x1p31, 0x1p31) : (double)(int32_t)(uint32_t)(int64_t)x;
    case DIT_I64:
        return from_float ? clipped_integer(x, -0x1p63, 0x1p63) : x;
    case DIT_U8:
        return from_float ? clipped_integer(x, 0, 256) : (double)(uint8_t)(int64_t)x;
    case DIT_BOOL:
        return x != 0;
    default:
        return x;
    }
}

DIT_REFERENCE_UNARY(converted(x, call))

const dit_op dit_op_cast = {
    .name = "cast",
    .shape = shape,
    .gradient = gradient,
    .reference = reference,
    .attribute_bytes = sizeof(struct dit_cast_attributes),
};

dit_tensor dit_cast(dit_graph *g, dit_tensor x, dit_dtype dtype)
{
    struct dit_cast_attributes a = {.dtype = dtype};
    return dit_apply(g, DIT_OP_cast, &x, 1, &a);
}
