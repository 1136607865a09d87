// models/sana.h: the configuration of SANA's transformer, for its pipeline.
#ifndef DIT_MODELS_SANA_H
#define DIT_MODELS_SANA_H

#include "nn/nn.h"
#include <stdint.h>

typedef struct dit_sana_config {
    int heads, head_width;
    int cross_heads, cross_head_width;
    int in_channels, out_channels;
    int layers, patch;
    int sample_size; // of the position table's grid, in latent pixels
    int caption_channels;
    int64_t feed_forward_width;
    bool attention_bias, norm_affine, guidance;
    float norm_eps;
    float timestep_scale;       // the pipeline applies it
    double interpolation_scale; // 0: no positions
    nn_qk_norm qk_norm;         // over all heads together
} dit_sana_config;

#endif
