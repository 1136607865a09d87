// models/call.h: arrays in memory as a network's arguments and results: one call of a text encoder or an autoencoder.
#ifndef DIT_MODELS_CALL_H
#define DIT_MODELS_CALL_H

#include "dit/dit.h"
#include "models/component.h"

// Named arrays that own their data.
typedef struct dit_arrays {
    int count;
    struct {
        char name[48];
        dit_array array;
    } item[DIT_MAX_ARGUMENTS];
} dit_arrays;

// Adds a zeroed array. NULL on failure, also when the name is there already or too long.
dit_array *dit_arrays_add(dit_arrays *arrays, const char *name, dit_dtype dtype, dit_shape shape, dit_error *error);
// Adds an array whose data (of malloc) is handed over, also on failure.
dit_status dit_arrays_give(dit_arrays *arrays, const char *name, dit_array array, dit_error *error);
dit_array *dit_arrays_find(const dit_arrays *arrays, const char *name); // NULL when absent
// Takes an array out: the caller then owns its data. Data is NULL when absent.
dit_array dit_arrays_take(dit_arrays *arrays, const char *name);
void dit_arrays_free(dit_arrays *arrays);

// An input of the graph for every array, of its dtype and shape, listed in `in`; and its contents put into the plan.
void dit_arrays_describe(const dit_arrays *arrays, dit_graph *g, dit_named_tensors *in);
dit_status dit_arrays_fill(const dit_arrays *arrays, const dit_plan *plan, dit_error *error);

// Runs one method of a network once and adds the outputs `wanted` (a NULL-ended list; NULL: all of them) to `out`. A
// member of a list may be counted from its end, "hidden_states.-2". What the wanted outputs do not depend on is not
// computed. `watch` may stop it (may be NULL).
dit_status dit_component_call(const dit_component *component, dit_method method, const dit_arrays *in,
                              const char *const *wanted, const dit_watch *watch, dit_arrays *out, dit_error *error);

// What that would take, without doing it: its plan's figures, and the outputs wanted as zeros. `figures` may be NULL:
// nothing is planned then, but a tensor that is missing or of another shape is an error as ever.
dit_status dit_component_figures(const dit_component *component, dit_method method, const dit_arrays *in,
                                 const char *const *wanted, dit_arrays *out, dit_plan_figures *figures,
                                 dit_error *error);

#endif
