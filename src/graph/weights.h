// graph/weights.h: named tensors in their storage format, shared by every graph and plan of a model.
#ifndef DIT_GRAPH_WEIGHTS_H
#define DIT_GRAPH_WEIGHTS_H

#include "base/tensor.h"

// How a new model starts a parameter. Spread is the standard deviation or the bound.
typedef struct dit_initial {
    enum { DIT_INIT_ZEROS, DIT_INIT_ONES, DIT_INIT_NORMAL, DIT_INIT_UNIFORM } kind;
    float spread;
} dit_initial;
#define DIT_INITIAL_ZEROS ((dit_initial){DIT_INIT_ZEROS, 0})
#define DIT_INITIAL_ONES ((dit_initial){DIT_INIT_ONES, 0})
#define DIT_INITIAL_NORMAL(std) ((dit_initial){DIT_INIT_NORMAL, (std)})
#define DIT_INITIAL_UNIFORM(bound) ((dit_initial){DIT_INIT_UNIFORM, (bound)})
// torch's xavier_uniform_ for a (fan_out, fan_in) weight: uniform within sqrt(6 / (fan_in + fan_out)).
dit_initial dit_initial_xavier(int64_t fan_in, int64_t fan_out);

typedef struct dit_weight {
    const char *name;
    dit_array array; // the stored tensor
    bool owned;      // data is freed with the set
    float scale;     // what its elements stand multiplied by; 1 but for f8 weights until a component has applied it
    bool used;       // some graph has declared it
    void *prepared;  // a kernel's own arrangement of it (kernel.h, prepare), made once, freed with the set
    size_t prepared_bytes;
    const void *prepared_by; // the kernel that made it
    int prepared_users;      // plans that read it
} dit_weight;

typedef struct dit_weights dit_weights;

dit_weights *dit_weights_new(void); // NULL when memory is out
void dit_weights_free(dit_weights *weights);

// Adds a tensor whose data is borrowed (it must outlive the set) or, with `owned`, handed over (freed with free, also
// on failure). A name that is there already fails.
dit_status dit_weights_add(dit_weights *weights, const char *name, dit_array array, bool owned, dit_error *error);
// Adds a zeroed f32 tensor.
dit_status dit_weights_create(dit_weights *weights, const char *name, dit_shape shape, dit_error *error);

dit_weight *dit_weights_find(const dit_weights *weights, const char *name); // NULL when there is none
int dit_weights_count(const dit_weights *weights);
dit_weight *dit_weights_at(const dit_weights *weights, int i); // in the order of adding

// Whether stored tensors may lack leading axes of one (ggml's shapes have none); they do not unless this is called.
void dit_weights_set_short(dit_weights *weights, bool are_short);
bool dit_weights_are_short(const dit_weights *weights);

// How the owner of borrowed tensors, an open file, lets their memory come and go. Several threads may call these.
typedef struct dit_weights_pager {
    void *context;
    bool (*is_mapped)(void *context, const dit_array *array); // its memory may go, and is read again when it is used
    void (*release)(void *context, const dit_array *array);   // it is not needed for now
    void (*prefetch)(void *context, const dit_array *array);  // it soon will be: reading ahead starts
} dit_weights_pager;
void dit_weights_set_pager(dit_weights *weights, const dit_weights_pager *pager);
// False for tensors that are in memory to stay: for these the other two do nothing.
bool dit_weights_is_mapped(const dit_weights *weights, const dit_weight *weight);
void dit_weights_release(const dit_weights *weights, const dit_weight *weight);
void dit_weights_prefetch(const dit_weights *weights, const dit_weight *weight);

// Hands `prepared` (malloc'd) over to a weight and releases the original.
void dit_weights_set_prepared(dit_weights *weights, dit_weight *weight, void *prepared, size_t bytes, const void *by);
// Frees an arrangement that no plan reads.
void dit_weights_drop_prepared(dit_weight *weight);

// Fails, naming the first three, when tensors of the set were declared by no graph, those excepted whose name ends in
// one of `ignored` (a NULL-ended list, or NULL) or begins with one of it that ends in '*' ("visual.*").
dit_status dit_weights_check_all_used(const dit_weights *weights, const char *const *ignored, dit_error *error);

#endif
