// nn/adaptive_norm.h: norms that a condition modulates: the layers that diffusers calls AdaLayerNormZero,
// AdaLayerNormZeroSingle, SD35AdaLayerNormZeroX and AdaLayerNormContinuous.
// Peebles and Xie 2023 (arXiv 2212.09748), section 3.2.
#ifndef DIT_NN_ADAPTIVE_NORM_H
#define DIT_NN_ADAPTIVE_NORM_H

#include "nn/nn.h"

typedef struct nn_adaptive_norm_options {
    float eps;    // of the layer norm, which has no affine part
    bool no_bias; // of NAME.linear
} nn_adaptive_norm_options;

// NAME.linear of silu(condition) in `count` chunks of x's width, (B, 1, C) each, into `parts`; returns
// layer_norm(x) * (1 + parts[1]) + parts[0]. x: (B, T, C); condition: (B, C'). Three chunks are shift, scale, gate; six
// are these of attention and then of the feed-forward; nine have those of a second attention at the end.
dit_tensor nn_adaptive_norm_zero(dit_graph *g, const char *name, dit_tensor x, dit_tensor condition, int count,
                                 dit_tensor *parts, const nn_adaptive_norm_options *options);
// layer_norm(x) * (1 + scale) + shift, NAME.linear giving the scale first.
dit_tensor nn_adaptive_norm_continuous(dit_graph *g, const char *name, dit_tensor x, dit_tensor condition,
                                       const nn_adaptive_norm_options *options);
// The chunks alone.
void nn_adaptive_chunks(dit_graph *g, const char *name, dit_tensor condition, int64_t width, int count,
                        dit_tensor *parts, bool bias);

#endif
