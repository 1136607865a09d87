// models/lora_private.h: what the reader of adapters hands to what applies them.
#ifndef DIT_MODELS_LORA_PRIVATE_H
#define DIT_MODELS_LORA_PRIVATE_H

#include "io/tensor_file.h"
#include "models/lora.h"
#include "text/regex.h"

// One adapter, as f32. rows of `up` and columns of `down` are those of the layer, a convolution's kernel flattened.
typedef struct dit_adapter {
    const char *file, *name; // of its tensors, for messages
    int64_t rows, columns, rank;
    float *up, *down; // (rows, rank), (rank, columns)
    float *magnitude; // (rows), or NULL
    float *bias;      // (rows), or NULL: lora_bias of PEFT, scaled as the product is
    float scale;      // alpha / rank times the strength
} dit_adapter;

// Adds `adapter`'s rows from `first` on to the weight; or beside it, where it is quantised or, with `keep_mapped`, a
// matrix that lies in a file. `swapped`: the weight has the halves of the adapter's rows the other way round.
dit_status dit_adapter_apply(const dit_adapter *adapter, int64_t first, bool swapped, bool keep_mapped,
                             dit_weights *weights, dit_weight *weight, dit_error *error);
// The second of the two (lora_beside.c).
dit_status dit_adapter_put_beside(const dit_adapter *adapter, int64_t first, bool swapped, dit_weights *weights,
                                  const dit_weight *weight, dit_error *error);

// The adapter's row for row i of the weight.
int64_t dit_adapter_row(const dit_adapter *adapter, int64_t first, bool swapped, int64_t i);
// row += scale * up[r] @ down
void dit_adapter_add_row(const dit_adapter *adapter, int64_t r, float *row);
// m / |row|, DoRA's factor of row r; 0 for a row of zeros.
float dit_adapter_row_factor(const dit_adapter *adapter, int64_t r, const float *row);

// What PEFT keeps beside an adapter's tensors: adapter_config.json in its folder, or diffusers' metadata.
typedef struct dit_lora_settings {
    double alpha; // for adapters without one of their own; NaN: the rank
    bool by_root; // alpha / sqrt(rank): rank-stabilised (Kalajdzievski 2023, arXiv 2312.03732)
    int pattern_count;
    struct dit_lora_alpha {
        dit_regex *layers; // whose names match have this alpha; the first that matches counts
        double alpha;
    } * patterns;
} dit_lora_settings;

// Reads what `file` has for a network; without settings alpha is NaN. To be freed also after a failure.
dit_status dit_lora_settings_read(dit_lora_settings *settings, const dit_tensor_file *file, dit_lora_part part,
                                  dit_error *error);
void dit_lora_settings_free(dit_lora_settings *settings);
// alpha / rank, or by its root, of a layer whose name has `length` bytes; `own`: the adapter's own alpha, or NULL.
double dit_lora_settings_scale(const dit_lora_settings *settings, const char *layer, size_t length, const float *own,
                               int64_t rank, dit_error *error);

#endif
