// train/export.h: a trained model as a folder that `dit generate` and the public implementations open.
#ifndef DIT_TRAIN_EXPORT_H
#define DIT_TRAIN_EXPORT_H

#include "train/blueprint.h"
#include "train/optimizer.h"

// Of a network on its own (blueprint->pipeline is NULL) writes FOLDER/{config.json,
// diffusion_pytorch_model.safetensors}. Otherwise writes FOLDER/model_index.json, transformer/{config.json,
// diffusion_pytorch_model.safetensors} and scheduler/scheduler_config.json, each file whole or not at all. The weights
// are average `recipe->samples.ema`, or the weights themselves, in recipe->samples.dtype. A tokenizer, where there is
// one, is the caller's to write.
dit_status dit_export(const char *folder, const dit_recipe *recipe, const dit_blueprint *blueprint,
                      const char *config_text, const dit_optimizer *optimizer, dit_error *error);
// Makes a folder and those above it, unless they are there.
dit_status dit_make_folder(const char *path, dit_error *error);

#endif
