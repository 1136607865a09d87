// nn/glumb_conv.h: SANA's feed-forward, a gated inverted bottleneck with a depthwise convolution ("Mix-FFN").
// Xie et al. 2024 (arXiv 2410.10629), section 2.2, figure 5; inverted residuals: Sandler et al. 2018 (arXiv
// 1801.04381).
#ifndef DIT_NN_GLUMB_CONV_H
#define DIT_NN_GLUMB_CONV_H

#include "nn/nn.h"

// With [h, g] = depthwise3x3(silu(conv_inverted(x))), each of `hidden` channels: conv_point(h * silu(g)).
// x: (B, C, H, W) -> (B, features, H, W). Names: NAME.conv_inverted, NAME.conv_depth, NAME.conv_point (without bias).
dit_tensor nn_glumb_conv(dit_graph *g, const char *name, dit_tensor x, int64_t hidden, int64_t features);

#endif
