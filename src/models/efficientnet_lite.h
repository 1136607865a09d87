// models/efficientnet_lite.h: the configuration and the features of EfficientNet-Lite.
#ifndef DIT_MODELS_EFFICIENTNET_LITE_H
#define DIT_MODELS_EFFICIENTNET_LITE_H

#include "models/model.h"
#include "nn/nn.h"

enum { DIT_EFFICIENTNET_STAGES = 16 };

typedef struct dit_efficientnet_config {
    int image_size;              // pixels, of the square pictures that it was trained on
    float pixel_mean, pixel_std; // its input is (pixel - mean) / std, pixels being 0 to 255
    float batch_norm_eps;
    int stem_channels, head_channels, classes;
    int stages;
    struct dit_efficientnet_stage {
        int repeats, kernel, stride, expansion, channels; // the stride is the first block's
    } stage[DIT_EFFICIENTNET_STAGES];
} dit_efficientnet_config;

// pixels: (B, 3, H, W), as the configuration says -> (B, head_channels): what the classifier's last layer looks at.
dit_tensor dit_model_efficientnet_lite(dit_graph *g, const dit_efficientnet_config *c, dit_tensor pixels);

#endif
