// models/flux.h: the configuration of FluxTransformer2DModel, for the pipeline that calls it.
#ifndef DIT_MODELS_FLUX_H
#define DIT_MODELS_FLUX_H

#include "models/model.h"

enum { DIT_FLUX_AXES = 3 };

typedef struct dit_flux_config {
    int heads, head_width;
    int patch;                     // of the output alone: tokens come in packed
    int in_channels, out_channels; // features of a token before and after
    int layers, single_layers;     // blocks of two streams, blocks of one
    int text_width, pooled_width;
    bool guidance;                 // the guidance scale is a condition (dev), or not (schnell)
    int axes, rope[DIT_FLUX_AXES]; // position axes and the features of a head that turn with each
} dit_flux_config;

#endif
