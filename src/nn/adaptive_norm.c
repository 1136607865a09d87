// nn/adaptive_norm.c: adaptive layer norms. The projections start at zero, so that a gated block starts as the
// identity.
#include "nn/adaptive_norm.h"

void nn_adaptive_chunks(dit_graph *g, const char *name, dit_tensor condition, int64_t width, int count,
                        dit_tensor *parts, bool bias)
{
    DIT_SCOPE (g, "%s", name) {
        dit_tensor m = nn_linear_from(g, "linear", dit_silu(g, condition), count * width, bias, DIT_INITIAL_ZEROS);
        nn_chunk(g, dit_reshape(g, m, DIT_SHAPE(dit_extent(g, m, 0), 1, count * width)), -1, count, parts);
    }
}

dit_tensor nn_adaptive_norm_zero(dit_graph *g, const char *name, dit_tensor x, dit_tensor condition, int count,
                                 dit_tensor *parts, const nn_adaptive_norm_options *o)
{
    nn_adaptive_chunks(g, name, condition, dit_extent(g, x, -1), count, parts, !o->no_bias);
    return nn_modulate(g, nn_layer_norm(g, NULL, x, o->eps), parts[0], parts[1]);
}

dit_tensor nn_adaptive_norm_continuous(dit_graph *g, const char *name, dit_tensor x, dit_tensor condition,
                                       const nn_adaptive_norm_options *o)
{
    dit_tensor parts[2]; // (B, 1, C) each: scale, shift
    nn_adaptive_chunks(g, name, condition, dit_extent(g, x, -1), 2, parts, !o->no_bias);
    return nn_modulate(g, nn_layer_norm(g, NULL, x, o->eps), parts[1], parts[0]);
}
