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
// The integers (i32, i64 or bool) of a constant argument: of one tensor of that name, or of the dotted members NAME.0,
// NAME.1, ... or NAME.0.0, NAME.0.1, NAME.1.0, ... in their order. Returns how many there are, 0 when absent; more than
// `room`, a gap in the list, or another kind of value is the graph's error.
int dit_named_integers(dit_graph *g, const dit_named_tensors *list, const char *name, int64_t *values, int room);
void dit_named_add(dit_named_tensors *list, const char *name, dit_tensor tensor);

typedef enum dit_need {
    DIT_OPTIONAL = false,
    DIT_REQUIRED = true,
    DIT_CONSTANT, // optional; integers or a bool that the description looks at (sizes, layers to skip): known before
} dit_need;

typedef struct dit_argument {
    const char *name; // a trailing '*' takes the members of a list: "encoder_hidden_states.*"
    dit_need need;
    int least_rank, most_rank; // of the tensor
} dit_argument;

typedef enum dit_method { DIT_FORWARD, DIT_ENCODE, DIT_DECODE, DIT_METHODS } dit_method;

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
