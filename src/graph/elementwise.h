// graph/elementwise.h: what the definitions of element-wise ops share: shape rules, and macros that make a formula into
// a float64 reference, a builder and the op's definition.
#ifndef DIT_GRAPH_ELEMENTWISE_H
#define DIT_GRAPH_ELEMENTWISE_H

#include "graph/ops.h"
#include <math.h>

// out[0] is like in[0], which must be a float tensor; the error names the op.
dit_status dit_shape_unary(const char *op, dit_op_call *call, dit_error *error);
// out[0] is the broadcast of in[0] and in[1], with the dtype of in[0]. Both are floats of any kind, or both the same
// integer type where `integers` allows that; the error names the op.
dit_status dit_shape_arithmetic(const char *op, bool integers, dit_op_call *call, dit_error *error);
// As dit_shape_arithmetic for any two equal dtypes or two floats, with a bool result.
dit_status dit_shape_comparison(const char *op, dit_op_call *call, dit_error *error);
// As dit_shape_arithmetic for dy, x of equal shapes: the backward of an activation.
dit_status dit_shape_activation_backward(const char *op, dit_op_call *call, dit_error *error);

// Gives input k the gradient `value`, summed over the axes that broadcasting repeated.
void dit_give_gradient(dit_graph *g, const dit_gradient_call *c, int k, dit_tensor value);

// `t` in f32, for gradient rules: what they compute on the way is rounded once, at the end.
dit_tensor dit_in_f32(dit_graph *g, dit_tensor t);

// The reference of y = formula(x), one input; and of y = formula(a, b), two broadcasting ones.
#define DIT_REFERENCE_UNARY(formula)                                                                                   \
    static void reference(const dit_op_call *call, const double *const *in, double *const *out)                        \
    {                                                                                                                  \
        for (int64_t i = 0, n = dit_shape_count(&call->in[0].shape); i < n; i++) {                                     \
            double x = in[0][i];                                                                                       \
            out[0][i] = (formula);                                                                                     \
        }                                                                                                              \
    }
#define DIT_REFERENCE_BINARY(formula)                                                                                  \
    static void reference(const dit_op_call *call, const double *const *in, double *const *out)                        \
    {                                                                                                                  \
        const dit_shape *shapes[] = {&call->in[0].shape, &call->in[1].shape};                                          \
        dit_walk walk = dit_walk_start(&call->out[0].shape, 2, shapes);                                                \
        for (int64_t i = 0, n = dit_shape_count(&call->out[0].shape); i < n; i++, dit_walk_next(&walk)) {              \
            double a = in[0][walk.offset[0]], b = in[1][walk.offset[1]];                                               \
            out[0][i] = (formula);                                                                                     \
        }                                                                                                              \
    }

// Everything but the gradient rule of an op without attributes. The file defines `gradient` before.
#define DIT_UNARY_OP(NAME, formula)                                                                                    \
    static dit_status shape(dit_op_call *call, dit_error *error)                                                       \
    {                                                                                                                  \
        return dit_shape_unary(#NAME, call, error);                                                                    \
    }                                                                                                                  \
    DIT_REFERENCE_UNARY(formula)                                                                                       \
    const dit_op dit_op_##NAME = {.name = #NAME, .shape = shape, .gradient = gradient, .reference = reference};        \
    dit_tensor dit_##NAME(dit_graph *g, dit_tensor x)                                                                  \
    {                                                                                                                  \
        return dit_apply(g, DIT_OP_##NAME, &x, 1, NULL);                                                               \
    }
#define DIT_BINARY_OP(NAME, shape_rule, gradient_rule, formula)                                                        \
    static dit_status shape(dit_op_call *call, dit_error *error)                                                       \
    {                                                                                                                  \
        return shape_rule;                                                                                             \
    }                                                                                                                  \
    DIT_REFERENCE_BINARY(formula)                                                                                      \
    const dit_op dit_op_##NAME = {.name = #NAME, .shape = shape, .gradient = gradient_rule, .reference = reference};   \
    dit_tensor dit_##NAME(dit_graph *g, dit_tensor a, dit_tensor b)                                                    \
    {                                                                                                                  \
        return dit_apply(g, DIT_OP_##NAME, (dit_tensor[]){a, b}, 2, NULL);                                             \
    }
// Arithmetic on floats and, with `integers`, on i32 and i64.
#define DIT_ARITHMETIC_OP(NAME, integers, formula)                                                                     \
    DIT_BINARY_OP(NAME, dit_shape_arithmetic(#NAME, integers, call, error), gradient, formula)
#define DIT_COMPARISON_OP(NAME, formula) DIT_BINARY_OP(NAME, dit_shape_comparison(#NAME, call, error), NULL, formula)
// dx (called y above) = dy (called a) * derivative(x) (called b), with the file's own `derivative`.
#define DIT_ACTIVATION_BACKWARD_OP(NAME)                                                                               \
    DIT_BINARY_OP(NAME, dit_shape_activation_backward(#NAME, call, error), NULL, derivative(b) * a)

#endif
