// models/probe.h: one network run on a file of arguments: what `dit forward`, `dit grad` and `dit bench` do.
#ifndef DIT_MODELS_PROBE_H
#define DIT_MODELS_PROBE_H

#include "models/component.h"

typedef struct dit_probe_options {
    dit_method method;
    dit_dtype dtype;
    bool gradient; // of mean((output - `target`)^2) for every parameter, instead of the outputs
    bool no_fusion;
    bool figures_only; // plans without taking memory or reading weights; cannot run
    size_t memory;     // bytes that the process may hold while it runs (graph/plan.h); 0: no bound
    bool own_weights;  // copies the weights, so that they may be changed between runs (with `gradient`)
    const char *lora;  // adapters for the network, or NULL
    double lora_strength;
} dit_probe_options;

typedef struct dit_probe {
    dit_component component;
    dit_safetensors *inputs;
    dit_plan *plan;
    char **names; // of the plan's outputs, as they are written
    int count;
} dit_probe;

// Opens the component and its arguments, plans, and fills the inputs. Close also after a failure.
dit_status dit_probe_open(dit_probe *probe, const char *folder, const char *inputs, const dit_probe_options *options,
                          dit_error *error);
void dit_probe_close(dit_probe *probe);
// One run.
dit_status dit_probe_run(dit_probe *probe, bool (*cancelled)(void *context), void *context, dit_error *error);
// Writes the results of the last run as safetensors. NaN or infinity in them is no error: it is what came out.
dit_status dit_probe_write(const dit_probe *probe, const char *path, dit_error *error);

#endif
