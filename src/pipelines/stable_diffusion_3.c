// pipelines/stable_diffusion_3.c: StableDiffusion3Pipeline: 3 and 3.5. Three texts' states side by side: those of both
// CLIP encoders as features of one sequence, filled up with zeros to T5's width, and after it T5's.
// Esser et al. 2024 (arXiv 2403.03206), section 4 and appendix B.2; defaults of diffusers.
#include "models/stable_diffusion_3.h"
#include "pipelines/pipeline.h"
#include <stdlib.h>
#include <string.h>

enum { CLIP_LENGTH = 77, MOST_CLIP_LENGTH = 1024, T5_LENGTH = 256 };

static const dit_sd3_config *config_of(const dit_model *m)
{
    return dit_model_transformer_config(m);
}

static dit_status start(dit_model *m, dit_job *job, dit_error *error)
{
    const dit_sd3_config *c = config_of(m);
    int pixels = dit_model_pixels_per_latent(m, error), size = c->sample_size * pixels;
    if (!job->request->prompt)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--prompt: say what to draw");
    dit_job_choose(m, job, job->request->init_image ? 50 : 28, 7);
    job->channels = c->in_channels;
    if (error->status || dit_job_size(m, job, size, size, c->patch * pixels, error))
        return error->status;
    if (job->height / c->patch > c->positions || job->width / c->patch > c->positions)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: this model draws up to %d pixels",
                        job->height / c->patch > c->positions ? "--height" : "--width",
                        c->positions * c->patch * pixels);
    job->shift_tokens = job->height / c->patch * (job->width / c->patch);
    return DIT_OK;
}

// The last state but one and the pooled state of one CLIP encoder.
static dit_status encode_clip(dit_model *m, const dit_job *job, const char *const *names, const dit_watch *watch,
                              dit_array *states, dit_array *pooled, dit_error *error)
{
    static const char *const state = "hidden_states.-2";
    const char *texts[2];
    const int count = dit_job_texts(job, texts);
    const dit_text_query query = {.tokenizer = names[0],
                                  .encoder = names[1],
                                  .texts = texts,
                                  .count = count,
                                  .weighting = job->weighting,
                                  .chunks = true,
                                  .length = dit_model_text_length(m, "tokenizer", CLIP_LENGTH, MOST_CLIP_LENGTH, error),
                                  .wanted = (const char *const[]){state, "text_embeds", NULL}};
    dit_arrays out = {0};
    if (!error->status && !dit_encode_texts(m, &query, watch, &out, error)) {
        *states = dit_arrays_take(&out, state);
        *pooled = dit_arrays_take(&out, "text_embeds");
    }
    dit_arrays_free(&out);
    return error->status;
}

// T5's states (count, 256, width); zeros where the model has no T5.
static dit_status encode_t5(dit_model *m, const dit_job *job, const dit_watch *watch, dit_array *states,
                            dit_error *error)
{
    const char *texts[2];
    const int count = dit_job_texts(job, texts);
    const dit_text_query query = {.tokenizer = "tokenizer_3",
                                  .encoder = "text_encoder_3",
                                  .texts = texts,
                                  .count = count,
                                  .length = T5_LENGTH,
                                  .weighting = job->weighting,
                                  .wanted = (const char *const[]){"last_hidden_state", NULL}};
    dit_arrays out = {0};
    if (!dit_model_has_part(m, "text_encoder_3")) {
        if (!dit_array_alloc(states, DIT_F32, DIT_SHAPE(count, T5_LENGTH, config_of(m)->text_width), error))
            memset(states->data, 0, dit_array_bytes(states));
        return error->status;
    }
    if (!dit_encode_texts(m, &query, watch, &out, error))
        *states = dit_arrays_take(&out, "last_hidden_state");
    dit_arrays_free(&out);
    return error->status;
}

// The sequence of all states: a, b (count, S, ...), t5 (count, L, width) -> (count, S + L, width).
static dit_status join_states(const dit_model *m, const dit_array *a, const dit_array *b, const dit_array *t5,
                              dit_array *joined, dit_error *error)
{
    int64_t count = t5->shape.dim[0], S = a->shape.dim[1], L = t5->shape.dim[1], width = t5->shape.dim[2];
    int64_t A = a->shape.dim[2], B = b->shape.dim[2];
    if (b->shape.dim[1] != S || A + B > width)
        return dit_fail(error, DIT_BAD_FILE,
                        "%s: the text encoders give %lld tokens of %lld and %lld of %lld features, which do not fit "
                        "the %lld of joint_attention_dim",
                        m->folder, (long long)S, (long long)A, (long long)b->shape.dim[1], (long long)B,
                        (long long)width);
    if (dit_array_alloc(joined, DIT_F32, DIT_SHAPE(count, S + L, width), error))
        return error->status;
    float *to = joined->data;
    const float *from_a = a->data, *from_b = b->data, *from_t5 = t5->data;
    memset(to, 0, dit_array_bytes(joined));
    for (int64_t i = 0; i < count; i++) {
        for (int64_t s = 0; s < S; s++) {
            float *row = to + (i * (S + L) + s) * width;
            memcpy(row, from_a + (i * S + s) * A, (size_t)A * sizeof *row);
            memcpy(row + A, from_b + (i * S + s) * B, (size_t)B * sizeof *row);
        }
        memcpy(to + (i * (S + L) + S) * width, from_t5 + i * L * width, (size_t)(L * width) * sizeof *to);
    }
    return DIT_OK;
}

static dit_status encode(dit_model *m, const dit_job *job, dit_generator *generator, dit_conditions conditions,
                         const dit_watch *watch, dit_error *error)
{
    static const char *const clips[2][2] = {{"tokenizer", "text_encoder"}, {"tokenizer_2", "text_encoder_2"}};
    (void)generator;
    dit_array states[2] = {{0}}, pooled[2] = {{0}}, t5 = {0}, joined = {0}, joined_pooled = {0};
    for (int i = 0; i < 2 && !error->status; i++)
        encode_clip(m, job, clips[i], watch, &states[i], &pooled[i], error);
    if (!error->status && !encode_t5(m, job, watch, &t5, error) &&
        !join_states(m, &states[0], &states[1], &t5, &joined, error) &&
        !dit_join_features(&pooled[0], &pooled[1], &joined_pooled, error)) {
        dit_conditions_rows(job, &joined, &conditions[0], "encoder_hidden_states", error);
        dit_conditions_rows(job, &joined_pooled, &conditions[0], "pooled_projections", error);
    }
    for (int i = 0; i < 2; i++) {
        free(states[i].data);
        free(pooled[i].data);
    }
    free(t5.data);
    free(joined.data);
    free(joined_pooled.data);
    return error->status;
}

static void describe(const dit_model *m, dit_graph *g, const dit_job *job, dit_tensor latents, dit_tensor time,
                     dit_named_tensors *in)
{
    int64_t layers[DIT_SD3_LAYERS];
    const dit_request *r = job->request;
    (void)m;
    dit_named_add(in, "hidden_states", latents);
    dit_named_add(in, "timestep", time);
    int count = r->skip_layer_count < DIT_SD3_LAYERS ? r->skip_layer_count : DIT_SD3_LAYERS;
    for (int i = 0; i < count; i++)
        layers[i] = r->skip_layers[i];
    if (job->skipping)
        dit_named_add(in, "skip_layers", dit_constant(g, DIT_I64, DIT_SHAPE(count), layers));
}

static const char *const clip_classes[] = {"CLIPTextModelWithProjection", NULL};
static const dit_part_kind parts[] = {
    {"transformer", (const char *const[]){"SD3Transformer2DModel", NULL}, false},
    {"text_encoder", clip_classes, false},
    {"text_encoder_2", clip_classes, false},
    {"text_encoder_3", (const char *const[]){"T5EncoderModel", NULL}, true},
    {"vae", (const char *const[]){"AutoencoderKL", NULL}, false},
    {0},
};

const dit_pipeline_class dit_pipeline_class_stable_diffusion_3 = {
    .name = "StableDiffusion3Pipeline",
    .older_names = (const char *const[]){"StableDiffusion3Img2ImgPipeline", "StableDiffusion3InpaintPipeline", NULL},
    .parts = parts,
    .weighs_prompts = true,
    .skips_layers = true,
    .inpaints_noise = true,
    .inpaints_shifted = true,
    .conditions_by_row = true,
    .start = start,
    .encode = encode,
    .describe = describe,
};
