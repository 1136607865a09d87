// models/pixart.h: the configuration of PixArt's transformer, for its pipeline.
#ifndef DIT_MODELS_PIXART_H
#define DIT_MODELS_PIXART_H

#include "nn/nn.h"
#include <stdint.h>

typedef struct dit_pixart_config {
    int heads, head_width;
    int in_channels, out_channels;
    int layers, patch;
    int sample_size;         // of the position table's grid, in latent pixels
    int caption_channels;    // 0: texts come in cross_attention_dim features
    int cross_attention_dim; // 0: no cross-attention
    bool size_conditions;    // resolution and aspect ratio (alpha at 1024 pixels)
    bool attention_bias, norm_affine;
    float norm_eps;
    double interpolation_scale;
    nn_feed_forward_kind feed_forward;
} dit_pixart_config;

#endif
