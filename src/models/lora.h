// models/lora.h: low-rank adapters on a network's weights: W + s B A (Hu et al. 2021, arXiv 2106.09685), and DoRA,
// m V / |V| with V = W + s B A and norms over each row (Liu et al. 2024, arXiv 2402.09353).
//
// Read: files of diffusers and PEFT (X.lora_A.weight, X.lora_B.weight, X.lora_B.bias, X.lora_magnitude_vector;
// lora_alpha, alpha_pattern and use_rslora from adapter_config.json beside the file or the file's metadata), of kohya's
// scripts (lora_unet_X.lora_down.weight, .lora_up.weight, .alpha, .dora_scale), and with the names of the original
// repositories (diffusion_model.X).
#ifndef DIT_MODELS_LORA_H
#define DIT_MODELS_LORA_H

#include "graph/weights.h"

// Which of a pipeline's networks the weights are: a file holds adapters for several.
typedef enum dit_lora_part {
    DIT_LORA_TRANSFORMER,
    DIT_LORA_TEXT_ENCODER,
    DIT_LORA_TEXT_ENCODER_2,
    DIT_LORA_TEXT_ENCODER_3,
} dit_lora_part;

typedef struct dit_lora {
    const char *path; // a file, or a folder with pytorch_lora_weights.safetensors or adapter_model.safetensors
    dit_lora_part part;
    double strength;  // s = strength * alpha / rank
    bool keep_mapped; // weights that lie in a file stay there: for runs under a memory bound
} dit_lora;

// Applies the file's adapters to the weights of a network of class `class_name`, before it is described. Float weights
// are replaced by merged copies in their own dtype. Beside quantised ones, and float matrices that are to stay in their
// file, A and s B are added as `X.lora.N.down.weight` and `X.lora.N.up.weight`, and m / |V| as `X.lora.N.row_factor`,
// which nn_linear takes into account. May be called again for further files, each of which finds what those before it
// have made of a weight. *applied: how many adapters were for this network; none is no error.
// Fails with DIT_BAD_FILE (an adapter that fits no layer, shapes that do not fit), DIT_UNSUPPORTED (another kind of
// adapter, one for a quantised weight that is no matrix), DIT_NO_FILE or DIT_NO_MEMORY; the weights are then not to be
// used.
dit_status dit_lora_apply(dit_weights *weights, const char *class_name, const dit_lora *lora, int *applied,
                          dit_error *error);

#endif
