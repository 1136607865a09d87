// pipelines/aura_flow.c: AuraFlowPipeline: states of umT5, those of padding being zero. fal 2024; defaults of
// diffusers.
#include "models/aura_flow.h"
#include "pipelines/pipeline.h"

enum { LENGTH = 256, SIZE = 1024 }; // tokens; pixels a side

static dit_status start(dit_model *m, dit_job *job, dit_error *error)
{
    const dit_aura_flow_config *c = dit_model_transformer_config(m);
    int pixels = dit_model_pixels_per_latent(m, error);
    if (!job->request->prompt)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--prompt: say what to draw");
    dit_job_choose(m, job, 50, 3.5);
    job->channels = c->in_channels;
    if (error->status || dit_job_size(m, job, SIZE, SIZE, 2 * pixels, error))
        return error->status;
    if (job->height / c->patch > c->positions || job->width / c->patch > c->positions)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: this model draws up to %d pixels",
                        job->height / c->patch > c->positions ? "--height" : "--width",
                        c->positions * c->patch * pixels);
    return DIT_OK;
}

// states (count, L, C) become zero where mask (count, L) is.
static void erase_padding(dit_array *states, const dit_array *mask)
{
    int64_t tokens = dit_shape_count(&mask->shape), width = states->shape.dim[2];
    float *row = states->data;
    for (int64_t i = 0; i < tokens; i++, row += width)
        for (int64_t c = 0; c < width && !((const int64_t *)mask->data)[i]; c++)
            row[c] = 0;
}

static dit_status encode(dit_model *m, const dit_job *job, dit_generator *generator, dit_conditions conditions,
                         const dit_watch *watch, dit_error *error)
{
    (void)generator;
    const char *texts[2];
    const dit_text_query query = {.tokenizer = "tokenizer",
                                  .encoder = "text_encoder",
                                  .texts = texts,
                                  .count = dit_job_texts(job, texts),
                                  .length = LENGTH,
                                  .mask = true,
                                  .weighting = job->weighting,
                                  .wanted = (const char *const[]){"last_hidden_state", NULL}};
    dit_arrays out = {0};
    if (!dit_encode_texts(m, &query, watch, &out, error)) {
        dit_array *states = dit_arrays_find(&out, "last_hidden_state");
        erase_padding(states, dit_arrays_find(&out, "attention_mask"));
        dit_conditions_rows(job, states, &conditions[0], "encoder_hidden_states", error);
    }
    dit_arrays_free(&out);
    return error->status;
}

static double time_of(const dit_model *m, const dit_job *job, double timestep)
{
    (void)m, (void)job;
    return (double)((float)timestep / 1000);
}

static const dit_part_kind parts[] = {
    {"transformer", (const char *const[]){"AuraFlowTransformer2DModel", NULL}, false},
    {"text_encoder", (const char *const[]){"UMT5EncoderModel", "T5EncoderModel", NULL}, false},
    {"vae", (const char *const[]){"AutoencoderKL", "AutoencoderTiny", NULL}, false},
    {0},
};

const dit_pipeline_class dit_pipeline_class_aura_flow = {
    .name = "AuraFlowPipeline",
    .parts = parts,
    .weighs_prompts = true,
    .conditions_by_row = true,
    .start = start,
    .encode = encode,
    .time = time_of,
};
