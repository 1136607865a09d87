// graph/activation.h: the activations that fusion puts behind other ops, for references and rules.
#ifndef DIT_GRAPH_ACTIVATION_H
#define DIT_GRAPH_ACTIVATION_H

#include "backend/kernel.h"
#include <math.h>

static inline double dit_activated(dit_activation activation, double x)
{
    switch (activation) {
    case DIT_SILU:
        return x / (1 + exp(-x));
    case DIT_GELU_TANH:
        return x / (1 + exp(-2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case DIT_GELU_ERF:
        return 0.5 * x * erfc(-x * M_SQRT1_2);
    case DIT_RELU:
        return x < 0 ? 0 : x;
    case DIT_NO_ACTIVATION:
        break;
    }
    return x;
}

// The activation that an op is, or DIT_NO_ACTIVATION.
static inline dit_activation dit_activation_of(dit_op_id op)
{
    switch (op) {
    case DIT_OP_silu:
        return DIT_SILU;
    case DIT_OP_gelu_tanh:
        return DIT_GELU_TANH;
    case DIT_OP_gelu_erf:
        return DIT_GELU_ERF;
    case DIT_OP_relu:
        return DIT_RELU;
    default:
        return DIT_NO_ACTIVATION;
    }
}

#endif
