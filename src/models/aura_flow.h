// models/aura_flow.h: the configuration of AuraFlowTransformer2DModel, for the pipeline that calls it.
#ifndef DIT_MODELS_AURA_FLOW_H
#define DIT_MODELS_AURA_FLOW_H

#include "models/model.h"

typedef struct dit_aura_flow_config {
    int heads, head_width;
    int patch;
    int in_channels, out_channels;
    int layers, single_layers; // blocks of two streams, blocks of one
    int text_width;
    int positions;      // rows (and columns) of the learned table of positions
    int position_count; // its entries, which may be more than rows * columns
} dit_aura_flow_config;

#endif
