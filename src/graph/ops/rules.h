// graph/ops/rules.h: checks that several shape rules share.
#ifndef DIT_GRAPH_OPS_RULES_H
#define DIT_GRAPH_OPS_RULES_H

#include "graph/ops.h"

// Fails unless the first `count` inputs are there.
static inline dit_status dit_rule_present(const dit_op_call *call, const char *op, int count, dit_error *error)
{
    for (int i = 0; i < count; i++)
        if (i >= call->inputs || dit_is_absent(&call->in[i]))
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s: input %d is missing", op, i);
    return DIT_OK;
}

// Fails unless input i is a float tensor.
static inline dit_status dit_rule_float(const dit_op_call *call, const char *op, int i, dit_error *error)
{
    if (dit_is_absent(&call->in[i]) || !dit_dtype_is_float(call->in[i].dtype))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: input %d is %s; it must be a float tensor", op, i,
                        dit_is_absent(&call->in[i]) ? "missing" : dit_dtype_name(call->in[i].dtype));
    return DIT_OK;
}

// Fails unless input i holds ids: i32 or i64.
static inline dit_status dit_rule_ids(const dit_op_call *call, const char *op, int i, dit_error *error)
{
    if (dit_is_absent(&call->in[i]) || (call->in[i].dtype != DIT_I32 && call->in[i].dtype != DIT_I64))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: input %d is %s; ids are i32 or i64", op, i,
                        dit_is_absent(&call->in[i]) ? "missing" : dit_dtype_name(call->in[i].dtype));
    return DIT_OK;
}

// Fails when a shape that came as an attribute is none: its rank, or a negative extent.
static inline dit_status dit_rule_sane(const char *op, const dit_shape *shape, dit_error *error)
{
    if (shape->rank < 0 || shape->rank > DIT_MAX_RANK)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: a shape of %d axes is asked for; at most %d are supported", op,
                        shape->rank, DIT_MAX_RANK);
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] < 0) {
            char text[160];
            return dit_fail(error, DIT_BAD_ARGUMENT, "%s: the shape %s is asked for; an extent is negative", op,
                            dit_shape_text(shape, text));
        }
    return DIT_OK;
}

// Whether start, start + step, ... (`extent` of them) all lie in 0 ..= whole - 1.
static inline bool dit_rule_slice_fits(int64_t whole, int64_t start, int64_t extent, int64_t step)
{
    int64_t last;
    if (step == 0 || extent < 0 || start < 0 || start > whole)
        return false;
    if (extent == 0)
        return true;
    if (__builtin_mul_overflow(extent - 1, step, &last) || __builtin_add_overflow(last, start, &last))
        return false;
    return start < whole && last >= 0 && last < whole;
}

// The extents before, of and after an axis, as one product each.
typedef struct dit_split_shape {
    int64_t outer, extent, inner;
} dit_split_shape;

static inline dit_split_shape dit_split_at(const dit_shape *shape, int axis)
{
    dit_split_shape s = {1, shape->dim[axis], 1};
    for (int i = 0; i < shape->rank; i++)
        *(i < axis ? &s.outer : &s.inner) *= i == axis ? 1 : shape->dim[i];
    return s;
}

// What an id that a file or a person gave becomes in a reference: as in the kernels, the nearest one in range.
static inline int64_t dit_clamped_id(double id, int64_t count)
{
    return id < 0 ? 0 : id >= (double)count ? count - 1 : (int64_t)id;
}

#endif
