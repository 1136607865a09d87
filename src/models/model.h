// models/model.h: what a published network is to the rest: a class with a configuration, arguments and outputs.
//
// A new architecture is a file models/NAME.c that defines `const dit_model_class dit_model_class_NAME`, and the row
// MODEL(NAME) in models/models.def.
#ifndef DIT_MODELS_MODEL_H
#define DIT_MODELS_MODEL_H

#include "graph/graph.h"
#include "io/json.h"

enum { DIT_MAX_ARGUMENTS = 256 };

// Arguments and outputs, by the names that the published class gives them; lists are dotted ("sample.0").
typedef struct dit_named_tensors {
    dit_dtype dtype; // of arguments: that the network computes in, where no argument of floats says it
    int count;
    struct {
        const char *name; // borrowed
        dit_tensor tensor;
    } item[DIT_MAX_ARGUMENTS];
} dit_named_tensors;

dit_tensor dit_named_find(const dit_named_tensors *list, const char *name); // DIT_NONE when absent
void dit_named_add(dit_named_tensors *list, const char *name, dit_tensor tensor);

typedef enum dit_need {
    DIT_OPTIONAL = false,
    DIT_REQUIRED = true,
    DIT_CONSTANT, // optional; integers or a bool that the description looks at (sizes, layers to skip): known before
    DIT_COMPLEX,  // required; complex numbers as real pairs, which stay f32 in a network of a half format
} dit_need;

typedef struct dit_argument {
    const char *name; // a trailing '*' takes the members of a list: "encoder_hidden_states.*"
    dit_need need;
    int least_rank, most_rank; // of the tensor
} dit_argument;

typedef enum dit_method { DIT_FORWARD, DIT_ENCODE, DIT_DECODE, DIT_METHODS } dit_method;

// What a pipeline has to know of an autoencoder.
typedef struct dit_autoencoder_facts {
    int in_channels, out_channels, latent_channels;
    int ratio;           // pixels of the picture to one of the latents, along each axis
    int tile;            // side of a tile, in pixels of the picture, where nobody chooses another
    double tile_overlap; // share of a tile that it has in common with the next one
    // Of the configuration, for the pipeline to apply: a network sees (x - shift) * scale of what is encoded. 1 and 0
    // when the configuration says nothing.
    double scaling_factor, shift_factor;
} dit_autoencoder_facts;

typedef struct dit_model_class {
    const char *name;               // its `_class_name`
    const char *const *older_names; // under which earlier releases saved it; NULL-ended, or NULL
    const char *const *model_types; // by which a configuration that names no class is found; NULL-ended, or NULL
    size_t config_bytes;
    // Reads and checks the configuration. Extents are bounded so that products of two stay within 62 bits.
    dit_status (*configure)(void *config, dit_json json, dit_error *error);
    // Per method: its arguments (a list that ends with a NULL name) and its forward pass, which adds its outputs to
    // `out`. The network computes in the dtype of its first argument. NULL: the class has no such method.
    struct {
        const dit_argument *arguments;
        void (*describe)(dit_graph *g, const void *config, const dit_named_tensors *in, dit_named_tensors *out);
    } method[DIT_METHODS];
    // Of autoencoders only: their methods use different weights, and all of them belong to the file.
    void (*autoencoder)(const void *config, dit_autoencoder_facts *facts);
    // Parts of tensor names as earlier releases wrote them, each followed by today's; NULL-ended, or NULL.
    const char *const *older_weights;
    // Endings of tensor names that files carry along and no forward pass uses ("visual.*": beginnings); NULL-ended.
    const char *const *buffers;
} dit_model_class;

// The class of that name, or NULL.
const dit_model_class *dit_model_class_find(const char *name);
// The class of that `model_type`, or NULL.
const dit_model_class *dit_model_class_of_type(const char *type);
// "DiTTransformer2DModel, ...": for errors.
const char *dit_model_class_names(char *text, size_t size);

#endif
