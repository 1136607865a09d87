// nn/linear.c: linear layers, embeddings, feed-forward networks.
#include "nn/nn.h"
#include <stdio.h>

bool nn_adapter_at(dit_graph *g, int i, int64_t in, int64_t out, nn_adapter *adapter)
{
    char down[40], up[40], row_factor[40];
    snprintf(down, sizeof down, "lora.%d.down.weight", i);
    snprintf(up, sizeof up, "lora.%d.up.weight", i);
    snprintf(row_factor, sizeof row_factor, "lora.%d.row_factor", i);
    const int64_t rank = dit_parameter_stored_extent(g, down, 0);
    if (!rank)
        return false;
    adapter->down = dit_parameter(g, down, DIT_SHAPE(rank, in), DIT_INITIAL_ZEROS);
    adapter->up = dit_parameter(g, up, DIT_SHAPE(out, rank), DIT_INITIAL_ZEROS);
    adapter->row_factor = dit_parameter_stored_extent(g, row_factor, 0)
                              ? dit_parameter(g, row_factor, DIT_SHAPE(out), DIT_INITIAL_ONES)
                              : DIT_NONE;
    return true;
}

// x weight^T with what adapters make of it, and bias, which none of them touches.
static dit_tensor adapted(dit_graph *g, dit_tensor x, dit_tensor weight, int64_t features, dit_tensor bias)
{
    nn_adapter a;
    const int64_t K = dit_extent(g, x, -1);
    if (!nn_adapter_at(g, 0, K, features, &a))
        return dit_linear(g, x, weight, bias);
    dit_tensor y = dit_linear(g, x, weight, DIT_NONE);
    for (int i = 0; nn_adapter_at(g, i, K, features, &a); i++) {
        y = dit_add(g, y, dit_linear(g, dit_linear(g, x, a.down, DIT_NONE), a.up, DIT_NONE));
        y = dit_is_none(a.row_factor) ? y : dit_mul(g, y, a.row_factor);
    }
    return dit_is_none(bias) ? y : dit_add(g, y, bias);
}

dit_tensor nn_linear_from(dit_graph *g, const char *name, dit_tensor x, int64_t features, bool bias, dit_initial weight)
{
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name) {
        dit_tensor w = dit_parameter(g, "weight", DIT_SHAPE(features, dit_extent(g, x, -1)), weight);
        dit_tensor b = bias ? dit_parameter(g, "bias", DIT_SHAPE(features), DIT_INITIAL_ZEROS) : DIT_NONE;
        y = adapted(g, x, w, features, b);
    }
    return y;
}

dit_tensor nn_linear(dit_graph *g, const char *name, dit_tensor x, int64_t features, bool bias)
{
    return nn_linear_from(g, name, x, features, bias, dit_initial_xavier(dit_extent(g, x, -1), features));
}

dit_tensor nn_linear_apart(dit_graph *g, const char *name, dit_tensor x, int64_t features)
{
    int64_t K = dit_extent(g, x, -1);
    dit_tensor y = DIT_NONE;
    if (dit_dtype_of(g, x) == DIT_F32)
        return nn_linear(g, name, x, features, true);
    DIT_SCOPE (g, "%s", name) {
        dit_tensor w = dit_parameter(g, "weight", DIT_SHAPE(features, K), dit_initial_xavier(K, features));
        y = adapted(g, x, w, features, DIT_NONE);
        y = dit_add(g, y, dit_parameter(g, "bias", DIT_SHAPE(features), DIT_INITIAL_ZEROS));
    }
    return y;
}

dit_tensor nn_embedding(dit_graph *g, const char *name, int64_t count, int64_t width, dit_tensor ids)
{
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name)
        y = dit_embedding(g, dit_parameter(g, "weight", DIT_SHAPE(count, width), DIT_INITIAL_NORMAL(0.02f)), ids);
    return y;
}

const char *const nn_feed_forward_names[] = {"gelu-approximate", "gelu", "geglu-approximate", "linear-silu", "geglu",
                                             "swiglu",           NULL};

static dit_tensor activate(dit_graph *g, dit_tensor h, nn_feed_forward_kind kind)
{
    dit_tensor half[2];
    switch (kind) {
    case NN_GELU_TANH:
        return dit_gelu_tanh(g, h);
    case NN_GELU_ERF:
        return dit_gelu_erf(g, h);
    case NN_GELU_SIGMOID:
        return dit_mul(g, h, dit_sigmoid(g, dit_affine(g, h, 1.702f, 0)));
    case NN_SILU:
        return dit_silu(g, h);
    case NN_GEGLU:
        nn_chunk(g, h, -1, 2, half);
        return dit_mul(g, half[0], dit_gelu_erf(g, half[1]));
    case NN_SWIGLU:
        nn_chunk(g, h, -1, 2, half);
        return dit_mul(g, half[0], dit_silu(g, half[1]));
    }
    return DIT_NONE;
}

dit_tensor nn_feed_forward(dit_graph *g, const char *name, dit_tensor x, int64_t width, nn_feed_forward_kind kind)
{
    int64_t C = dit_extent(g, x, -1), projected = kind == NN_GEGLU || kind == NN_SWIGLU ? 2 * width : width;
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name) {
        dit_tensor h = activate(g, nn_linear(g, "net.0.proj", x, projected, true), kind); // (..., width)
        y = nn_linear(g, "net.2", h, C, true);                                            // (..., C)
    }
    return y;
}

dit_tensor nn_swiglu(dit_graph *g, const char *name, dit_tensor x, int64_t width, const char *const names[3])
{
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name) {
        dit_tensor gate = dit_silu(g, nn_linear(g, names[0], x, width, false));   // (..., width)
        dit_tensor h = dit_mul(g, gate, nn_linear(g, names[1], x, width, false)); // (..., width)
        y = nn_linear(g, names[2], h, dit_extent(g, x, -1), false);               // (..., C)
    }
    return y;
}

dit_tensor nn_text_projection(dit_graph *g, const char *name, dit_tensor x, int64_t width, nn_feed_forward_kind kind)
{
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name)
        y = nn_linear(g, "linear_2", activate(g, nn_linear(g, "linear_1", x, width, true), kind), width, true);
    return y;
}
