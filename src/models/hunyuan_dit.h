// models/hunyuan_dit.h: the configuration of Hunyuan-DiT's transformer, for its pipeline.
#ifndef DIT_MODELS_HUNYUAN_DIT_H
#define DIT_MODELS_HUNYUAN_DIT_H

#include "nn/nn.h"
#include <stdint.h>

typedef struct dit_hunyuan_dit_config {
    int heads, head_width, width;
    int in_channels, out_channels;
    int layers, patch;
    int sample_size;                                      // of the pictures that its pipeline draws, in latent pixels
    int text_features, text_features_t5, pooled_features; // of BERT, T5, and T5's pooled states
    int text_length, text_length_t5;                      // in tokens
    bool size_and_style;                                  // conditions of versions up to 1.1
    int64_t feed_forward_width;
    nn_feed_forward_kind feed_forward;
} dit_hunyuan_dit_config;

#endif
