// nn/linear.c: linear layers, embeddings, feed-forward networks.
#include "nn/nn.h"
#include <stdio.h>

bool nn_adapter(dit_graph *g, int i, int64_t in, int64_t out, dit_tensor *down, dit_tensor *up)
{
    char names[2][40];
    snprintf(names[0], sizeof names[0], "lora.%d.down.weight", i);
    snprintf(names[1], sizeof names[1], "lora.%d.up.weight", i);
    const int64_t rank = dit_parameter_stored_extent(g, names[0], 0);
    if (!rank)
        return false;
    *down = dit_parameter(g, names[0], DIT_SHAPE(rank, in), DIT_INITIAL_ZEROS);
    *up = dit_parameter(g, names[1], DIT_SHAPE(out, rank), DIT_INITIAL_ZEROS);
    return true;
}

// y + sum of (x down^T) up^T
static dit_tensor add_adapters(dit_graph *g, dit_tensor x, dit_tensor y)
{
    dit_tensor down, up;
    for (int i = 0; nn_adapter(g, i, dit_extent(g, x, -1), dit_extent(g, y, -1), &down, &up); i++)
        y = dit_add(g, y, dit_linear(g, dit_linear(g, x, down, DIT_NONE), up, DIT_NONE));
    return y;
}

dit_tensor nn_linear_from(dit_graph *g, const char *name, dit_tensor x, int64_t features, bool bias, dit_initial weight)
{
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name) {
        dit_tensor w = dit_parameter(g, "weight", DIT_SHAPE(features, dit_extent(g, x, -1)), weight);
        dit_tensor b = bias ? dit_parameter(g, "bias", DIT_SHAPE(features), DIT_INITIAL_ZEROS) : DIT_NONE;
        y = add_adapters(g, x, dit_linear(g, x, w, b));
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
        y = dit_linear(g, x, dit_parameter(g, "weight", DIT_SHAPE(features, K), dit_initial_xavier(K, features)),
                       DIT_NONE);
        y = dit_add(g, y, dit_parameter(g, "bias", DIT_SHAPE(features), DIT_INITIAL_ZEROS));
        y = add_adapters(g, x, y);
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
