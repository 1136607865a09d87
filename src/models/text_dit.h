// models/text_dit.h: the text-conditioned transformer that dit.c trains itself, pixels and text in one sequence.
#ifndef DIT_MODELS_TEXT_DIT_H
#define DIT_MODELS_TEXT_DIT_H

#include "models/model.h"

typedef struct dit_text_dit_config {
    int heads, head_width;
    int channels, patch;
    int sample_size; // pixels of the picture it is trained at
    int layers;      // over text and picture together
    int text_layers; // over the text alone, before them
    int vocabulary, text_length;
} dit_text_dit_config;

// pixels: (B, channels, H, W); timestep: (B) in [0, 1000]; ids: (B, L) token ids; text_mask: (B, L) bool, true for
// tokens and false for padding. Returns (B, channels, H, W). Taps: transformer_blocks.I.attn.out, .out,
// text_blocks.I.out.
dit_tensor dit_model_text_dit(dit_graph *g, const dit_text_dit_config *c, dit_tensor pixels, dit_tensor timestep,
                              dit_tensor ids, dit_tensor text_mask);

#endif
