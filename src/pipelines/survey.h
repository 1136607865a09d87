// pipelines/survey.h: what drawing a picture will take, before any weight is read: every network that would run is
// planned for the shapes it would get, and none is run.
#ifndef DIT_PIPELINES_SURVEY_H
#define DIT_PIPELINES_SURVEY_H

#include "pipelines/pipeline.h"

enum { DIT_MOST_PHASES = 12 };

// A network at its turn.
typedef struct dit_phase {
    char part[32];
    dit_plan_figures figures;
    size_t peak;  // bytes that the process holds then, without a bound
    size_t least; // the same under the smallest bound
} dit_phase;

typedef struct dit_survey {
    bool names_only;       // nothing is planned: only whether the tensors are there (dit_model_check)
    int64_t width, height; // of the picture
    int steps;
    double guidance_scale;
    int count; // of phases, in their order
    dit_phase phase[DIT_MOST_PHASES];
    size_t peak;       // most of all phases
    int largest;       // which one that is
    size_t least;      // the smallest --memory under which the picture is drawn, with what the bound keeps in reserve
    size_t base;       // of the program itself, with what it holds beside weights
    double step_flops; // of one step's calls of the transformer
} dit_survey;

// Surveys one picture as `request` asks for it (dit_request_default for the model's own size and steps). Peaks are
// estimates, within a tenth where they were measured.
dit_status dit_model_survey(dit_model *model, const dit_request *request, dit_survey *survey, dit_error *error);

// Whether every network has the tensors that this job needs, of the right shapes, and no more, and under a memory bound
// what it needs: all of it is described, for a wrong one must not show only when the prompts have been encoded. Done
// once for a model; parts that the job needs must be open.
dit_status dit_model_check(dit_model *model, const dit_job *job, dit_error *error);

// For dit_encode_texts while a survey is made (model->survey): notes the encoder, and adds its outputs as zeros.
dit_status dit_survey_encoder(dit_model *model, const char *part, const dit_component *encoder, const dit_arrays *in,
                              const char *const *wanted, dit_arrays *out, dit_error *error);
// For dit_encode_pixels: the same for a picture (1, 3, H, W).
dit_status dit_survey_picture(dit_model *model, const dit_component *vae, const dit_array *pixels,
                              const dit_autoencoder_facts *facts, dit_array *latents, dit_error *error);
// Describes the transformer for the job, and whether it has tensors beside (pipelines/network.c).
dit_status dit_check_network(dit_model *model, const dit_job *job, const dit_arrays *conditions, dit_error *error);
// Figures of the transformer's plan for the job (pipelines/network.c).
dit_status dit_network_figures(dit_model *model, const dit_job *job, const dit_arrays *conditions,
                               dit_plan_figures *figures, dit_error *error);

#endif
