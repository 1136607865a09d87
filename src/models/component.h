// models/component.h: one network, opened from the folder that its public implementation saves (config.json and
// weights), or from a single file with the names of its original repository.
#ifndef DIT_MODELS_COMPONENT_H
#define DIT_MODELS_COMPONENT_H

#include "graph/plan.h"
#include "io/safetensors.h"
#include "io/tensor_file.h"
#include "models/model.h"

typedef struct dit_component {
    const dit_model_class *class;
    void *config;    // of the class's config_bytes
    dit_dtype dtype; // that it was opened in
    dit_weights *weights;
    dit_tensor_file *file; // what the weights borrow
    dit_json_file *json;
    char *folder;                      // or file
    struct dit_component_pages *pages; // where weights lie that need not stay in memory
    size_t memory; // bytes that the process may hold while it runs, set by who opened it; 0: no bound
} dit_component;

typedef struct dit_component_options {
    // Weights are rounded to f16 or bf16 where they are stored otherwise; with f32 they stay as they are stored.
    // Quantised weights stay as they are, but for f8 with a scale, which are decoded.
    dit_dtype dtype;
    bool bounded; // memory will be: weights that are rounded or decoded lie in a temporary file
    // Of a single file, which may hold several networks: the classes of which the network is one, the beginnings of
    // names under which it may lie (dit_original_query), and a configuration for what its tensors do not say, as the
    // path of a config.json, which counts where it is of the network's class, or as JSON text. All may be NULL.
    const char *const *classes, *const *prefixes;
    const char *known_path, *known_text;
    const char *variant; // of a folder's weights, where it has them (dit_tensor_file_variant); NULL: none
} dit_component_options;

// Opens PATH/config.json and the weights beside it; or the file PATH: safetensors, GGUF or by torch.save, whose
// configuration follows from its tensors (models/original.h) and what is known, unless a config.json of the same class
// lies beside it. A file with the published names needs one or the other. `options` NULL: all zero, which is f32. Close
// with dit_component_close, also after a failure.
dit_status dit_component_open_with(dit_component *component, const char *path, const dit_component_options *options,
                                   dit_error *error);
dit_status dit_component_open(dit_component *component, const char *path, dit_dtype dtype, dit_error *error);
// The same without the weights: class and configuration alone.
dit_status dit_component_describe_file(dit_component *component, const char *path, const dit_component_options *options,
                                       dit_error *error);
void dit_component_close(dit_component *component);

// Describes one method over arguments read from a file of tensors: an argument of its own dtype when it holds integers
// or booleans, otherwise of `dtype`. An argument that the method does not know, or lacks, is an error naming it.
// Tensors named in `others` (NULL-ended; may be NULL) are not arguments. Outputs are declared by dit_output, and are
// listed in `out`.
dit_status dit_component_describe(const dit_component *component, dit_graph *g, dit_method method,
                                  dit_safetensors *inputs, const char *const *others, dit_dtype dtype,
                                  dit_named_tensors *out, dit_error *error);
// Copies the arguments into the plan's inputs, rounding floats, and checks ids against what they index.
dit_status dit_component_fill(const dit_plan *plan, dit_safetensors *inputs, dit_error *error);

#endif
