// models/lumina.h: what the networks of the Lumina family share.
#ifndef DIT_MODELS_LUMINA_H
#define DIT_MODELS_LUMINA_H

#include "models/arguments.h"
#include "nn/adaptive_norm.h"

// rms_norm(x) * (1 + scale); without `scale` the norm alone. x: (B, T, C); scale: (B, 1, C).
static inline dit_tensor lumina_norm(dit_graph *g, const char *name, dit_tensor x, dit_tensor scale, float eps)
{
    dit_tensor y = nn_rms_norm(g, name, x, eps);
    return dit_is_none(scale) ? y : dit_mul(g, y, dit_affine(g, scale, 1, 1));
}

// residual + tanh(gate) * rms_norm(x); without `gate` 1 stands in its place. gate: (B, 1, C).
static inline dit_tensor lumina_add(dit_graph *g, const char *norm, dit_tensor residual, dit_tensor gate, dit_tensor x,
                                    float eps)
{
    dit_tensor y = nn_rms_norm(g, norm, x, eps);
    return dit_is_none(gate) ? dit_add(g, residual, y) : nn_gated_add(g, residual, dit_tanh(g, gate), y);
}

// The last layer: layer_norm(x) * (1 + NAME.linear_1(silu(condition))), then NAME.linear_2. x: (B, T, C); condition:
// (B, C') -> (B, T, features).
static inline dit_tensor lumina_output(dit_graph *g, const char *name, dit_tensor x, dit_tensor condition,
                                       int64_t features)
{
    int64_t C = dit_extent(g, x, -1);
    dit_tensor y = DIT_NONE;
    DIT_SCOPE (g, "%s", name) {
        dit_tensor scale = nn_linear_from(g, "linear_1", dit_silu(g, condition), C, true, DIT_INITIAL_ZEROS);
        scale = dit_reshape(g, scale, DIT_SHAPE(dit_extent(g, scale, 0), 1, C));
        y = dit_mul(g, nn_layer_norm(g, NULL, x, 1e-6f), dit_affine(g, scale, 1, 1));
        y = nn_linear_from(g, "linear_2", y, features, true, DIT_INITIAL_ZEROS);
    }
    return y;
}

// Width of a feed-forward network: `width`, times `ffn_dim_multiplier` where the configuration has one, rounded up to a
// multiple of `multiple_of`.
static inline int64_t lumina_feed_forward_width(dit_json json, int64_t width, dit_error *error)
{
    int64_t multiple = dit_json_int_or(json, "multiple_of", 256, 1, 1 << 20, error);
    width = (int64_t)(dit_json_number_or(json, "ffn_dim_multiplier", 1, 0, 1024, error) * (double)width);
    width = (width + multiple - 1) / multiple * multiple;
    if (width < 1)
        dit_json_fail(json, "ffn_dim_multiplier", error, "leaves the feed-forward no feature");
    return width;
}

#endif
