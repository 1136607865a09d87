// models/lora_private.h: what the reader of adapters hands to what applies them.
#ifndef DIT_MODELS_LORA_PRIVATE_H
#define DIT_MODELS_LORA_PRIVATE_H

#include "io/tensor_file.h"
#include "models/lora.h"

// One adapter, as f32. rows of `up` and columns of `down` are those of the layer, a convolution's kernel flattened.
typedef struct dit_adapter {
    const char *name; // of its tensors in the file, for messages
    int64_t rows, columns, rank;
    float *up, *down; // (rows, rank), (rank, columns)
    float *magnitude; // (rows), or NULL
    float scale;      // alpha / rank times the strength
} dit_adapter;

// Adds `adapter`'s rows from `first` on to the weight, or beside it. `swapped`: the weight has the halves of the
// adapter's rows the other way round.
dit_status dit_adapter_merge(const dit_adapter *adapter, int64_t first, bool swapped, dit_weights *weights,
                             dit_weight *weight, dit_error *error);

#endif
