// models/hidream.h: the configuration of HiDreamImageTransformer2DModel, for the pipeline that calls it.
#ifndef DIT_MODELS_HIDREAM_H
#define DIT_MODELS_HIDREAM_H

#include "models/model.h"

enum { DIT_HIDREAM_AXES = 3, DIT_HIDREAM_LAYERS = 1024 };

typedef struct dit_hidream_config {
    int heads, head_width;
    int patch;
    int in_channels, out_channels;
    int layers, single_layers; // blocks of two streams, blocks of one
    int t5_width, llama_width; // of the texts' states
    int pooled_width;
    int experts, active_experts;   // of the picture's feed-forward; no experts: a plain one
    int rope[DIT_HIDREAM_AXES];    // features that turn with each position axis: of a head, or of its first half
    int tokens;                    // that a picture which is not square is filled up to
    int llama[DIT_HIDREAM_LAYERS]; // which of Llama's states each block gets
} dit_hidream_config;

#endif
