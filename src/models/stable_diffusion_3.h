// models/stable_diffusion_3.h: the configuration of SD3Transformer2DModel, for the pipeline that calls it.
#ifndef DIT_MODELS_STABLE_DIFFUSION_3_H
#define DIT_MODELS_STABLE_DIFFUSION_3_H

#include "models/model.h"
#include "nn/nn.h"

enum { DIT_SD3_LAYERS = 1024 };

typedef struct dit_sd3_config {
    int heads, head_width;
    int layers, patch;
    int in_channels, out_channels;
    int sample_size; // of a picture, in latent pixels: the scale of the position table
    int positions;   // rows and columns of that table
    int text_width, pooled_width;
    nn_qk_norm qk_norm;        // none (3), RMS (3.5)
    bool dual[DIT_SD3_LAYERS]; // layers with a second attention, of the picture alone (3.5 medium)
} dit_sd3_config;

#endif
