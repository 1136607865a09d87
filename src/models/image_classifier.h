// models/image_classifier.h: what a picture shows, for code that needs the configuration of an opened classifier.
#ifndef DIT_MODELS_IMAGE_CLASSIFIER_H
#define DIT_MODELS_IMAGE_CLASSIFIER_H

#include "models/model.h"

enum { DIT_CLASSIFIER_STAGES = 16 };

typedef struct dit_image_classifier_config {
    int in_channels, sample_size; // of the pictures it was made for; others are taken as long as they can be halved
    int stages;
    int channels[DIT_CLASSIFIER_STAGES]; // of each stage
    int layers;                          // residual blocks of a stage
    int groups;
    float norm_eps;
    int classes;
} dit_image_classifier_config;

// pixels: (B, C, H, W) in [-1, 1]. Returns the logits, (B, classes). Taps: blocks.I.out of each stage.
dit_tensor dit_model_image_classifier(dit_graph *g, const dit_image_classifier_config *c, dit_tensor pixels);

#endif
