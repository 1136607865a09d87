// pipelines/hidream.c: HiDreamImagePipeline: the pooled states of two CLIP encoders, the states of T5, and those of
// every layer of Llama that the network asks for. Cai et al. 2025 (arXiv 2505.22705), section 3; defaults of diffusers.
#include "models/hidream.h"
#include "graph/ops.h"
#include "pipelines/pipeline.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 128, SIDE = 128 }; // tokens of all four; latents a side of a square picture

static const dit_hidream_config *config_of(const dit_model *m)
{
    return dit_model_transformer_config(m);
}

// The shift of time is that of the most tokens that a picture may have, by constants of the public pipeline; a sampler
// that takes none does without.
static dit_status shift_time(dit_model *m, dit_job *job, dit_error *error)
{
    static const double base_shift = 0.5, max_shift = 1.15, base_tokens = 256, max_tokens = 4096;
    dit_sampler *s = NULL;
    if (dit_sampler_new(&s, NULL, dit_json_root(m->scheduler), error))
        return error->status;
    if ((s->class->arguments >> DIT_MU & 1) && strcmp(s->class->name, "UniPCMultistepScheduler") != 0) {
        double slope = (max_shift - base_shift) / (max_tokens - base_tokens);
        job->sampler_arguments.given[DIT_MU] = true;
        job->sampler_arguments.value[DIT_MU] = config_of(m)->tokens * slope + (base_shift - slope * base_tokens);
    }
    dit_sampler_free(s);
    return DIT_OK;
}

// The request's shape, scaled to the area that the model draws.
static dit_status start(dit_model *m, dit_job *job, dit_error *error)
{
    const dit_request *r = job->request;
    int pixels = dit_model_pixels_per_latent(m, error), side = SIDE * pixels, multiple = 2 * pixels;
    if (error->status)
        return error->status;
    if (!r->prompt)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--prompt: say what to draw");
    dit_request sized = *r;
    double width = r->width ? r->width : side, height = r->height ? r->height : side;
    double scale = sqrt((double)side * side / (width * height));
    sized.width = (int)(floor(width * scale / multiple) * multiple);
    sized.height = (int)(floor(height * scale / multiple) * multiple);
    if (sized.width < 1 || sized.height < 1)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: %dx%d is too long and thin for this model",
                        sized.width < 1 ? "--width" : "--height", r->width, r->height);
    dit_job_choose(m, job, 50, 5);
    job->channels = config_of(m)->in_channels;
    job->request = &sized;
    dit_job_size(m, job, sized.height, sized.width, multiple, error);
    job->request = r;
    return error->status ? error->status : shift_time(m, job, error);
}

// The pooled states of both CLIP encoders, side by side.
static dit_status encode_pooled(dit_model *m, const dit_job *job, dit_text_query query, const dit_watch *watch,
                                dit_arrays *to, dit_error *error)
{
    static const char *const names[2][2] = {{"tokenizer", "text_encoder"}, {"tokenizer_2", "text_encoder_2"}};
    dit_array pooled[2] = {{0}}, joined = {0};
    query.wanted = (const char *const[]){"text_embeds", NULL};
    query.length = LENGTH;
    for (int i = 0; i < 2 && !error->status; i++) {
        dit_arrays out = {0};
        query.tokenizer = names[i][0];
        query.encoder = names[i][1];
        if (!dit_encode_texts(m, &query, watch, &out, error))
            pooled[i] = dit_arrays_take(&out, "text_embeds");
        dit_arrays_free(&out);
    }
    if (!error->status && !dit_join_features(&pooled[0], &pooled[1], &joined, error))
        dit_conditions_rows(job, &joined, to, "pooled_embeds", error);
    free(pooled[0].data);
    free(pooled[1].data);
    free(joined.data);
    return error->status;
}

static dit_status encode_t5(dit_model *m, const dit_job *job, dit_text_query query, const dit_watch *watch,
                            dit_arrays *to, dit_error *error)
{
    dit_arrays out = {0};
    query.tokenizer = "tokenizer_3";
    query.encoder = "text_encoder_3";
    query.wanted = (const char *const[]){"last_hidden_state", NULL};
    query.length = dit_model_text_length(m, query.tokenizer, LENGTH, LENGTH, error);
    query.mask = true;
    if (!error->status && !dit_encode_texts(m, &query, watch, &out, error))
        dit_conditions_rows(job, dit_arrays_find(&out, "last_hidden_state"), to, "encoder_hidden_states_t5", error);
    dit_arrays_free(&out);
    return error->status;
}

// The states of the layers that the network asks for. Layer k of its configuration is what follows block k of Llama:
// hidden state k + 1, the first one being the embeddings.
static dit_status encode_llama(dit_model *m, const dit_job *job, dit_text_query query, const dit_watch *watch,
                               dit_arrays *to, dit_error *error)
{
    enum { LAYERS = 256 };
    const dit_hidream_config *c = config_of(m);
    const char *wanted[LAYERS + 1];
    char names[LAYERS][24];
    dit_arrays out = {0};
    int count = 0;
    bool asked[LAYERS] = {false};
    for (int i = 0; i < c->layers + c->single_layers; i++) {
        if (c->llama[i] >= LAYERS)
            return dit_fail(error, DIT_BAD_FILE, "%s/transformer/config.json: \"llama_layers\" asks for layer %d",
                            m->folder, c->llama[i]);
        asked[c->llama[i]] = true;
    }
    for (int k = 0; k < LAYERS; k++)
        if (asked[k]) {
            snprintf(names[count], sizeof names[count], "hidden_states.%d", k + 1);
            wanted[count] = names[count];
            count++;
        }
    wanted[count] = NULL;
    query.tokenizer = "tokenizer_4";
    query.encoder = "text_encoder_4";
    query.wanted = wanted;
    query.length = dit_model_text_length(m, query.tokenizer, LENGTH, LENGTH, error);
    query.mask = query.ends_as_padding = query.keeps_spaces = true;
    if (!error->status)
        dit_encode_texts(m, &query, watch, &out, error);
    for (int k = 0; k < LAYERS && !error->status; k++) {
        char name[24], argument[48];
        snprintf(name, sizeof name, "hidden_states.%d", k + 1);
        snprintf(argument, sizeof argument, "encoder_hidden_states_llama3.%d", k);
        if (asked[k])
            dit_conditions_rows(job, dit_arrays_find(&out, name), to, argument, error);
    }
    dit_arrays_free(&out);
    return error->status;
}

static dit_status encode(dit_model *m, const dit_job *job, dit_generator *generator, dit_conditions conditions,
                         const dit_watch *watch, dit_error *error)
{
    (void)generator;
    const char *texts[2];
    const dit_text_query query = {.texts = texts, .count = dit_job_texts(job, texts), .weighting = job->weighting};
    if (!encode_pooled(m, job, query, watch, &conditions[0], error) &&
        !encode_t5(m, job, query, watch, &conditions[0], error))
        encode_llama(m, job, query, watch, &conditions[0], error);
    return error->status;
}

static void describe(const dit_model *m, dit_graph *g, const dit_job *job, dit_tensor latents, dit_tensor time,
                     dit_named_tensors *in)
{
    (void)m, (void)g, (void)job;
    dit_named_add(in, "hidden_states", latents);
    dit_named_add(in, "timesteps", time);
}

// The network gives the picture minus the noise.
static dit_tensor answer(const dit_model *m, dit_graph *g, const dit_job *job, const dit_named_tensors *out)
{
    (void)m, (void)job;
    return dit_affine(g, dit_named_find(out, "sample"), -1, 0);
}

static const char *const clip_classes[] = {"CLIPTextModelWithProjection", NULL};
static const dit_part_kind parts[] = {
    {"transformer", (const char *const[]){"HiDreamImageTransformer2DModel", NULL}, false},
    {"text_encoder", clip_classes, false},
    {"text_encoder_2", clip_classes, false},
    {"text_encoder_3", (const char *const[]){"T5EncoderModel", NULL}, false},
    {"text_encoder_4", (const char *const[]){"LlamaModel", NULL}, false},
    {"vae", (const char *const[]){"AutoencoderKL", "AutoencoderTiny", NULL}, false},
    {0},
};

const dit_pipeline_class dit_pipeline_class_hidream = {
    .name = "HiDreamImagePipeline",
    .parts = parts,
    .weighs_prompts = true,
    .start = start,
    .encode = encode,
    .describe = describe,
    .answer = answer,
};
