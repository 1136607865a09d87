// pipelines/pipeline.h: an opened model folder, and what one published family adds to it: how a request becomes
// conditions.
//
// A folder holds model_index.json, whose `_class_name` chooses the row of pipelines.def, and a folder for each
// component. A new family is a file pipelines/NAME.c that defines `const dit_pipeline_class dit_pipeline_class_NAME`,
// and the row PIPELINE(NAME).
#ifndef DIT_PIPELINES_PIPELINE_H
#define DIT_PIPELINES_PIPELINE_H

#include "models/component.h"
#include "sample/sampler.h"

typedef struct dit_pipeline_class dit_pipeline_class;

// A request with the family's defaults filled in. Guided pictures are computed twice in one batch, conditional rows
// first.
typedef struct dit_job {
    const dit_request *request;
    int count;    // pictures
    int64_t rows; // of the network's batch: count, or 2 count when guided
    bool guided;
    int steps;
    double guidance_scale;
    int64_t channels, height, width; // of the state
} dit_job;

// The state behind a dit_model of the public header.
struct dit_model {
    const dit_pipeline_class *class;
    char *folder;
    dit_json_file *index;     // model_index.json
    dit_json_file *scheduler; // scheduler/scheduler_config.json
    dit_component transformer;
    bool predicts_sample;          // a flow network gives x_0: the sampler is handed (x_t - x_0) / sigma
    int default_steps;             // of model_index.json; 0: it says none
    double default_guidance_scale; // the same; negative: it says none
    void *private;                 // the family's own: tokenizers, ...
    dit_plan *plan;                // of the last job's rows and size, kept for the next
    int64_t plan_rows, plan_height, plan_width;
};

struct dit_pipeline_class {
    const char *name;
    // The public loop hands its sampler what the network was given: the state divided as the network needs it, which it
    // stays, and both halves of a guided batch, for which noise is drawn alike; and it starts from unit noise whatever
    // the sampler's first sigma. Otherwise the state is the sampler's own, as sample/sampler.h has it.
    bool steps_network_input;
    // Opens what the family needs beside the transformer, and checks that the transformer is one of its kind.
    dit_status (*open)(dit_model *model, dit_error *error);
    void (*close)(dit_model *model); // NULL: nothing to close
    // Fills in the job from the request: defaults, whether it is guided, the state's shape. A request that the family
    // cannot serve is DIT_BAD_ARGUMENT naming the flag.
    dit_status (*start)(const dit_model *model, dit_job *job, dit_error *error);
    // Adds the inputs of the conditions for job->rows rows to `in` (by dit_input) before the network is described.
    void (*describe)(const dit_model *model, dit_graph *g, const dit_job *job, dit_named_tensors *in);
    // Fills these inputs: conditional rows first, unconditional ones after them when the job is guided.
    dit_status (*fill)(const dit_model *model, const dit_job *job, dit_plan *plan, dit_error *error);
};

// The folder of the model that comes with the library: what the environment's DIT_MODEL names, the installed one, or
// the repository's. `path` is room for it.
const char *dit_default_model(char *path, size_t size);

// Samples job->count states into `state` (count, channels, height, width), allocated here and freed by the caller.
dit_status dit_draw_states(dit_model *model, const dit_job *job, const dit_watch *watch, dit_array *state,
                           dit_error *error);
// For a family's `start`: steps, guidance scale and whether it guides, from the request, the folder, or the family's
// defaults.
void dit_job_choose(const dit_model *model, dit_job *job, int steps, double guidance_scale);
// From a request to its job.
dit_status dit_job_start(const dit_model *model, const dit_request *request, dit_job *job, dit_error *error);

// As dit_generate; with `latents` not NULL also writes the state before the decoder to that file, as tensor `latents`.
dit_status dit_generate_to(dit_model *model, const dit_request *request, const dit_watch *watch, dit_image *images,
                           const char *latents, dit_error *error);

#endif
