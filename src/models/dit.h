// models/dit.h: the class-conditional diffusion transformer, for code that builds one without a file.
#ifndef DIT_MODELS_DIT_H
#define DIT_MODELS_DIT_H

#include "models/model.h"
#include "nn/nn.h"

typedef struct dit_dit_config {
    int heads, head_width;
    int in_channels, out_channels;
    int layers, patch;
    int sample_size;           // of the position table's grid, in latent pixels
    int classes;               // the null label is one more
    float interpolation_scale; // positions are divided by it; 0 counts as 1
    bool attention_bias, norm_affine;
    float norm_eps;
    nn_feed_forward_kind feed_forward;
} dit_dit_config;

// latents: (B, C_in, H, W) with as many patches in a row as in a column; timestep: (B); labels: (B) integers, `classes`
// for the null label. Returns (B, C_out, H, W). Taps: transformer_blocks.I.attn.out, transformer_blocks.I.out.
dit_tensor dit_model_dit(dit_graph *g, const dit_dit_config *c, dit_tensor latents, dit_tensor timestep,
                         dit_tensor labels);

#endif
