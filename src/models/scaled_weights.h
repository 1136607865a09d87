// models/scaled_weights.h: f8 weights with a number for each tensor, as published files hold them: the tensor X.weight
// is to be multiplied by X.scale_weight (ComfyUI's files, which also hold an empty tensor `scaled_fp8`) or
// X.weight_scale (its newer files, where X.comfy_quant names the format).
#ifndef DIT_MODELS_SCALED_WEIGHTS_H
#define DIT_MODELS_SCALED_WEIGHTS_H

#include "graph/weights.h"
#include "io/tensor_file.h"

// Whether the name is one of a scale, of weights or of the inputs that other programs round to f8, or of the marker.
bool dit_is_scale_name(const char *name);

// Gives `weight`, which came from the tensor `name` of the file, the scale that the file holds for it, if any. Fails
// with DIT_UNSUPPORTED for one that is not a single number.
dit_status dit_scale_weight(dit_tensor_file *file, const char *name, dit_weight *weight, dit_error *error);

#endif
