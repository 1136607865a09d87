// nn/nn.h: layers. A layer declares its parameters under the name it is given, as published files name them, and
// describes its forward pass; the same call opens a checkpoint's weights or declares a new model's (graph/graph.h,
// dit_parameter). New linear weights start as xavier_uniform with zero biases, as DiT does (arXiv 2212.09748, public
// code).
#ifndef DIT_NN_NN_H
#define DIT_NN_NN_H

#include "graph/ops.h"

// Linear
// ---------------------------------------------------------------------------------------------------------------

// x: (..., K) -> (..., features), with NAME.weight (features, K) and, with `bias`, NAME.bias (features).
dit_tensor nn_linear(dit_graph *g, const char *name, dit_tensor x, int64_t features, bool bias);
// The same with a stated start of the weight.
dit_tensor nn_linear_from(dit_graph *g, const char *name, dit_tensor x, int64_t features, bool bias,
                          dit_initial weight);
// The same with a bias that is added to the rounded product in half precision, where torch does so: for rows that do
// not lie side by side, such as part of a sequence in each sample of a batch, or tokens whose features are far apart.
dit_tensor nn_linear_apart(dit_graph *g, const char *name, dit_tensor x, int64_t features);
// Low-rank adapter `i` of those that stand beside a weight which cannot hold them (models/lora.h), in the scope of a
// linear layer. False when there is none of that number.
typedef struct nn_adapter {
    dit_tensor down, up;   // (rank, in), (out, rank)
    dit_tensor row_factor; // (out): what the product with all up to this one is multiplied by; or DIT_NONE
} nn_adapter;
bool nn_adapter_at(dit_graph *g, int i, int64_t in, int64_t out, nn_adapter *adapter);
// ids: (...) -> (..., width), with NAME.weight (count, width), started normal(0, 0.02).
dit_tensor nn_embedding(dit_graph *g, const char *name, int64_t count, int64_t width, dit_tensor ids);

typedef enum nn_feed_forward_kind {
    NN_GELU_TANH,    // gelu(tanh approximation)(x W1) W2
    NN_GELU_ERF,     //
    NN_GELU_SIGMOID, // x sigmoid(1.702 x)
    NN_SILU,         //
    NN_GEGLU,        // (x V) gelu_erf(x W) W2, one projection holds V and W (Shazeer 2020, arXiv 2002.05202)
    NN_SWIGLU,       // (x V) silu(x W) W2
} nn_feed_forward_kind;
extern const char *const nn_feed_forward_names[]; // as `activation_fn` has them, in this order; NULL-ended
// x: (..., C) -> (..., C) through `width` features. Names: NAME.net.0.proj, NAME.net.2.
dit_tensor nn_feed_forward(dit_graph *g, const char *name, dit_tensor x, int64_t width, nn_feed_forward_kind kind);
// (silu(x W) * (x V)) W2 with separate projections and no biases: `names` of W, V and W2 under NAME.
dit_tensor nn_swiglu(dit_graph *g, const char *name, dit_tensor x, int64_t width, const char *const names[3]);
// Features of a text into the network's width: NAME.linear_1, activation, NAME.linear_2. x: (..., C') -> (..., width).
dit_tensor nn_text_projection(dit_graph *g, const char *name, dit_tensor x, int64_t width, nn_feed_forward_kind kind);

// Activations by the names that configurations give them (`act_fn`).
typedef enum nn_activation { NN_ACT_SILU, NN_ACT_SWISH, NN_ACT_MISH, NN_ACT_GELU, NN_ACT_RELU } nn_activation;
extern const char *const nn_activation_names[]; // in this order; NULL-ended
dit_tensor nn_activate(dit_graph *g, dit_tensor x, nn_activation activation);

// Normalisation and modulation
// -----------------------------------------------------------------------------------------

// Over the last axis. With `name`: NAME.weight and NAME.bias (C); NULL: no affine part.
dit_tensor nn_layer_norm(dit_graph *g, const char *name, dit_tensor x, float eps);
// With `name`: NAME.weight (C); NULL: no weight. In half formats the normed values are rounded before the weight, as
// diffusers' and transformers' classes do.
dit_tensor nn_rms_norm(dit_graph *g, const char *name, dit_tensor x, float eps);
// The same, rounded once, after the weight: torch.nn.RMSNorm, where it is used and no gradient is recorded.
dit_tensor nn_rms_norm_once(dit_graph *g, const char *name, dit_tensor x, float eps);
// Over the channels of a group and all positions: x (B, C, ...), with NAME.weight and NAME.bias (C).
dit_tensor nn_group_norm(dit_graph *g, const char *name, dit_tensor x, int groups, float eps);
// x / max(|x|, eps), |x| the length over the last axis.
dit_tensor nn_l2_norm(dit_graph *g, dit_tensor x, float eps);
// x * (1 + scale) + shift.
dit_tensor nn_modulate(dit_graph *g, dit_tensor x, dit_tensor shift, dit_tensor scale);
// residual + gate * x.
dit_tensor nn_gated_add(dit_graph *g, dit_tensor residual, dit_tensor gate, dit_tensor x);
// Splits axis `axis` into `count` equal parts.
void nn_chunk(dit_graph *g, dit_tensor x, int axis, int count, dit_tensor *parts);
// linear(silu(condition)) in `count` chunks of `width`, each (B, 1, width); condition: (B, C). The layer starts at
// zero, so that a gated block starts as the identity (adaLN-zero).
void nn_modulation(dit_graph *g, const char *name, dit_tensor condition, int64_t width, int count, dit_tensor *parts);

// Attention
// ------------------------------------------------------------------------------------------------------------

// The norm of queries and keys before they are turned, over a head or over all heads together.
typedef enum nn_qk_norm {
    NN_QK_NONE,
    NN_QK_RMS,         // with weights
    NN_QK_RMS_ONCE,    // the same by torch.nn.RMSNorm (nn_rms_norm_once)
    NN_QK_PLAIN_LAYER, // a layer norm without affine part
    NN_QK_LAYER,       // with weights and biases
    NN_QK_RMS_ALL,
    NN_QK_LAYER_ALL,
    NN_QK_L2_ALL, // divided by the length; no weights
} nn_qk_norm;

// Keys and values of a picture's patches, rows first, in fewer tokens: one of `factor` x `factor` each, by a
// convolution of every feature and a norm, both for keys and values alike. PixArt-Sigma: Chen et al. 2024 (arXiv
// 2403.04692), section 3.3. What does not fill a square at the right and the bottom is left out. NAME.sr, NAME.norm.
typedef struct nn_key_compression {
    int factor; // 0 or 1: none
    int64_t rows, columns;
} nn_key_compression;

typedef struct nn_attention_options {
    int heads, head_width;
    int kv_heads;        // 0: as many as heads
    bool no_qkv_bias;    // to_q, to_k and to_v without biases
    bool queries_apart;  // to_q as nn_linear_apart, with a bias
    bool no_output;      // the heads side by side, (B, T, heads * head_width), without to_out
    bool no_output_bias; // to_out.0 without
    nn_qk_norm qk_norm;  // norm_q, norm_k
    float qk_norm_eps;
    dit_tensor rope; // a rope table (T, head_width/2, 2), or none
    bool rope_interleaved;
    bool rope_queries_only;
    dit_tensor mask; // as the attention op's, or none
    float scale;     // of the scores; 0 means 1 / sqrt(head_width)
    nn_key_compression compression;
} nn_attention_options;
// Queries from x (B, T, C), keys and values from context (B, S, C'), which is x itself when none -> (B, T, C). Names:
// NAME.to_q, NAME.to_k, NAME.to_v, NAME.to_out.0. Taps: NAME.q, NAME.k, NAME.v.
dit_tensor nn_attention(dit_graph *g, const char *name, dit_tensor x, dit_tensor context,
                        const nn_attention_options *options);
// One projection of it: x (B, T, C) -> (B, T, heads, head_width), normed and turned by `rope` (or not: none). Without
// `norm` (a name) neither.
dit_tensor nn_heads(dit_graph *g, const char *projection, const char *norm, dit_tensor x, int heads, dit_tensor rope,
                    const nn_attention_options *options);
// What attention adds to its scores for a mask argument of diffusers' classes: (B, S), 1 for a key that is kept and 0
// for one that is not, becomes 0 and -10000; (B, 1 or Tq, S) is such a bias already -> (B, 1, 1 or Tq, S). None stays
// none. `argument` is the name for errors.
dit_tensor nn_attention_bias(dit_graph *g, const char *argument, dit_tensor mask, int64_t batch, int64_t keys,
                             dit_dtype dtype);

// Images and time
// ------------------------------------------------------------------------------------------------------

// Patches of an image, projected: (B, C, H, W) -> (B, T, width), rows first. NAME.weight (width, C, patch, patch),
// NAME.bias (width). What does not fill a patch at the right and the bottom is left out, as a convolution would.
dit_tensor nn_patch_embed_2d(dit_graph *g, const char *name, dit_tensor image, int patch, int64_t width);
// The same plus the fixed positions of nn_sincos_positions_2d. Where the grid is base x base they are a buffer of the
// network in its dtype, otherwise made anew in f32, as diffusers' PatchEmbed has it. NAME.proj.
dit_tensor nn_patch_embed_sincos_2d(dit_graph *g, const char *name, dit_tensor image, int patch, int64_t width,
                                    int64_t base, float scale);
// Convolution with a square kernel of odd side, padded by half of it: (B, C, H, W) -> (B, features, H / stride,
// W / stride), rounded up. NAME.weight (features, C, kernel, kernel), uniform within 1 / sqrt(C kernel^2) at the start,
// as PyTorch starts convolutions; NAME.bias (features).
dit_tensor nn_conv_2d(dit_graph *g, const char *name, dit_tensor x, int64_t features, int kernel, int stride);
// Any convolution of images. What is 0 is the usual: stride 1, one group, padding by half the kernel.
typedef struct nn_conv_options {
    int kernel, stride, groups;
    bool no_padding;
    bool no_bias;
} nn_conv_options;
// (B, C, H, W) -> (B, features, H', W'). NAME.weight (features, C / groups, kernel, kernel), NAME.bias (features).
dit_tensor nn_conv(dit_graph *g, const char *name, dit_tensor x, int64_t features, const nn_conv_options *options);
// (B, rows * columns, patch * patch * channels) -> (B, channels, rows * patch, columns * patch), channels last in a
// token.
dit_tensor nn_unpatchify_2d(dit_graph *g, dit_tensor tokens, int patch, int64_t channels, int64_t rows,
                            int64_t columns);
// Tokens of patches, (B, T, patch * patch * channels), projected by a linear layer with a bias, (B, T, width): tokens
// of one pixel are the picture seen otherwise, whose channels do not lie side by side (nn_linear_apart).
dit_tensor nn_patch_projection(dit_graph *g, const char *name, dit_tensor tokens, int patch, int64_t width);
// Fixed sine and cosine positions of a grid, (1, rows * columns, width): the columns' half first, as diffusers'
// get_2d_sincos_pos_embed gives them. Positions are index / (extent / base) / scale.
dit_tensor nn_sincos_positions_2d(dit_graph *g, int64_t rows, int64_t columns, int64_t width, int64_t base,
                                  float scale);
// Sinusoids of t (B), then linear_1, silu, linear_2 -> (B, width).
typedef struct nn_time_options {
    int frequencies; // width of the sinusoids
    bool flip;       // cosines first
    float shift;     // downscale_freq_shift
    float scale;     // of t; 0 means 1
    dit_dtype dtype; // of the network: sinusoids are computed in f32 and cast
} nn_time_options;
dit_tensor nn_time_embedding(dit_graph *g, const char *name, dit_tensor t, int64_t width,
                             const nn_time_options *options);
// The sum of the embeddings of a time (B), a guidance scale (B) or none, and a text's pooled features (B, P), whose
// dtype is the network's -> (B, width). Names: NAME.timestep_embedder, guidance_embedder, text_embedder.
dit_tensor nn_time_text_embedding(dit_graph *g, const char *name, dit_tensor t, dit_tensor guidance, dit_tensor pooled,
                                  int64_t width);

#endif
