// models/pixart.h: the configuration of PixArt's transformer, for its pipeline.
#ifndef DIT_MODELS_PIXART_H
#define DIT_MODELS_PIXART_H

#include "nn/nn.h"
#include <stdint.h>

enum { DIT_PIXART_MOST_LAYERS = 4096 };

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
    // Blocks whose attention sees its keys and values in fewer tokens, in the original repository's weights for 2K and
    // 4K; diffusers' class has no such thing.
    int key_compression; // one token of n x n
    bool compressed[DIT_PIXART_MOST_LAYERS];
} dit_pixart_config;

#endif
