// train/start.h: a new run that starts from trained weights instead of random ones.
#ifndef DIT_TRAIN_START_H
#define DIT_TRAIN_START_H

#include "train/optimizer.h"

// Copies the weights of the transformer in `folder` (config.json and safetensors, as diffusers and dit_export write
// them; f16 and bf16 are widened) over the optimizer's, averages included. Names, shapes and every key of the
// configuration that decides what the weights mean must agree with the new model's `config_text`, a config.json;
// sample_size may differ. The error names the key or the tensor.
dit_status dit_start_from(const char *folder, const char *config_text, dit_optimizer *o, dit_error *error);

#endif
