// nn/activation.c: activation functions by their published names.
#include "nn/nn.h"

const char *const nn_activation_names[] = {"silu", "swish", "mish", "gelu", "relu", NULL};

// x tanh(softplus(x)) (Misra 2019, arXiv 1908.08681). With u = e^x (e^x + 2), tanh(log(1 + e^x)) is u / (u + 2), which
// is 1 in f32 long before x reaches 20.
static dit_tensor mish(dit_graph *g, dit_tensor x)
{
    dit_dtype dtype = dit_dtype_of(g, x);
    dit_tensor wide = dtype == DIT_F32 ? x : dit_cast(g, x, DIT_F32);
    dit_tensor e = dit_exp(g, dit_clamp(g, wide, -100, 20));
    dit_tensor u = dit_mul(g, e, dit_affine(g, e, 1, 2));
    dit_tensor y = dit_mul(g, wide, dit_div(g, u, dit_affine(g, u, 1, 2)));
    return dtype == DIT_F32 ? y : dit_cast(g, y, dtype);
}

dit_tensor nn_activate(dit_graph *g, dit_tensor x, nn_activation activation)
{
    switch (activation) {
    case NN_ACT_SILU:
    case NN_ACT_SWISH:
        return dit_silu(g, x);
    case NN_ACT_MISH:
        return mish(g, x);
    case NN_ACT_GELU:
        return dit_gelu_erf(g, x);
    case NN_ACT_RELU:
        return dit_relu(g, x);
    }
    return DIT_NONE;
}
