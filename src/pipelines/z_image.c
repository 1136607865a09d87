// pipelines/z_image.c: ZImagePipeline: Qwen3's states of the prompt as one caption a picture, each of its own length.
// Defaults and numbers of diffusers 0.42. Tongyi-MAI 2025 (arXiv 2511.22699).
#include "graph/ops.h"
#include "pipelines/pipeline.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PACK = 2, TOKENS = 512, SIDE = 1024, MOST_ROWS = 16 };

static dit_status start(dit_model *m, dit_job *job, dit_error *error)
{
    const dit_request *r = job->request;
    int multiple = PACK * dit_model_pixels_per_latent(m, error);
    if (!r->prompt)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--prompt: say what to draw");
    if (!error->status && (r->height % multiple || r->width % multiple))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: %d is no multiple of %d, as this model needs it",
                        r->height % multiple ? "--height" : "--width", r->height % multiple ? r->height : r->width,
                        multiple);
    dit_job_choose(m, job, 50, 5);
    job->guided = job->guidance_scale > 0;
    job->channels = (int64_t)dit_model_part_number(m, "transformer", "in_channels", 16, error);
    if (error->status || dit_job_size(m, job, SIDE, SIDE, multiple, error))
        return error->status;
    job->shift_tokens = job->height / PACK * (job->width / PACK);
    return dit_job_linear_sigmas(job, error);
}

// Caption `row` without its padding: states (R, L, K), mask (R, L) -> cap_feats.i (l, K).
static dit_status add_caption(const dit_array *states, const dit_array *mask, int64_t row, int64_t i, dit_arrays *to,
                              dit_error *error)
{
    char name[32];
    const int64_t L = states->shape.dim[1], K = states->shape.dim[2], *open = (const int64_t *)mask->data + row * L;
    int64_t kept = 0;
    for (int64_t t = 0; t < L; t++)
        kept += open[t] != 0;
    snprintf(name, sizeof name, "cap_feats.%d", (int)i);
    dit_array *caption = dit_arrays_add(to, name, DIT_F32, DIT_SHAPE(kept, K), error);
    float *out = caption ? caption->data : NULL;
    for (int64_t t = 0; out && t < L; t++)
        if (open[t]) {
            memcpy(out, (const float *)states->data + (row * L + t) * K, (size_t)K * sizeof *out);
            out += K;
        }
    return error->status;
}

// The prompt as a user's turn of the conversation that Qwen3 was trained on.
static char *in_conversation(const char *prompt)
{
    static const char form[] = "<|im_start|>user\n%s<|im_end|>\n<|im_start|>assistant\n";
    size_t size = sizeof form + strlen(prompt);
    char *text = malloc(size);
    if (text)
        snprintf(text, size, form, prompt);
    return text;
}

static dit_status encode(dit_model *m, const dit_job *job, dit_generator *generator, dit_conditions conditions,
                         const dit_watch *watch, dit_error *error)
{
    (void)generator;
    const char *prompts[2];
    dit_arrays out = {0};
    int count = dit_job_texts(job, prompts);
    char *texts[2] = {in_conversation(prompts[0]), in_conversation(prompts[1])};
    const dit_text_query query = {.tokenizer = "tokenizer",
                                  .encoder = "text_encoder",
                                  .texts = (const char *const *)texts,
                                  .count = count,
                                  .length = TOKENS,
                                  .longest = true,
                                  .mask = true,
                                  .wanted = (const char *const[]){"hidden_states.-2", NULL}};
    if (!texts[0] || !texts[1])
        dit_fail(error, DIT_NO_MEMORY, "--prompt: no memory for it");
    else if (!dit_encode_texts(m, &query, watch, &out, error))
        for (int64_t i = 0; i < job->rows && !error->status; i++)
            add_caption(dit_arrays_find(&out, "hidden_states.-2"), dit_arrays_find(&out, "attention_mask"),
                        i < job->count ? 0 : 1, i, &conditions[0], error);
    free(texts[0]);
    free(texts[1]);
    dit_arrays_free(&out);
    return error->status;
}

static void describe(const dit_model *m, dit_graph *g, const dit_job *job, dit_tensor latents, dit_tensor time,
                     dit_named_tensors *in)
{
    static const char *const names[MOST_ROWS] = {"x.0", "x.1", "x.2",  "x.3",  "x.4",  "x.5",  "x.6",  "x.7",
                                                 "x.8", "x.9", "x.10", "x.11", "x.12", "x.13", "x.14", "x.15"};
    (void)m;
    for (int64_t i = 0; i < job->rows; i++) {
        dit_tensor x = dit_slice(g, latents, 0, i, 1, 1); // (1, C, H, W), seen as (C, 1, H, W)
        x = dit_reshape(g, x, DIT_SHAPE(job->channels, 1, job->height, job->width));
        dit_named_add(in, names[i], x);
    }
    dit_named_add(in, "t", time);
}

// sample.i (C, 1, H, W) of every row, negated: (B, C, H, W)
static dit_tensor answer(const dit_model *m, dit_graph *g, const dit_job *job, const dit_named_tensors *out)
{
    dit_tensor rows[MOST_ROWS];
    char name[32];
    (void)m;
    for (int64_t i = 0; i < job->rows; i++) {
        snprintf(name, sizeof name, "sample.%d", (int)i);
        rows[i] = dit_reshape(g, dit_named_find(out, name), DIT_SHAPE(1, job->channels, job->height, job->width));
    }
    return dit_affine(g, dit_concat(g, rows, (int)job->rows, 0), -1, 0);
}

static double time_of(const dit_model *m, const dit_job *job, double timestep)
{
    (void)m, (void)job;
    return (double)((1000 - (float)timestep) / 1000);
}

// with + scale * (with - without), no longer than cfg_normalization times `with`, when that is above 0.
static void guide(const dit_model *m, const dit_job *job, const dit_guide_call *call)
{
    (void)m;
    const int64_t n = call->size.channels * call->size.inner;
    const float scale = (float)job->guidance_scale;
    for (int64_t b = 0; call->without && b < call->size.batch; b++) {
        const float *with = call->with + b * n, *without = call->without + b * n;
        float *out = call->out + b * n;
        double own = 0, guided = 0;
        for (int64_t i = 0; i < n; i++) {
            own += (double)with[i] * (double)with[i];
            out[i] = with[i] + scale * (with[i] - without[i]);
            guided += (double)out[i] * (double)out[i];
        }
        const double most = sqrt(own) * job->cfg_normalization;
        for (int64_t i = 0; job->cfg_normalization > 0 && sqrt(guided) > most && i < n; i++)
            out[i] *= (float)(most / sqrt(guided));
    }
}

static bool guides_at(const dit_job *job, int call, int calls, double time)
{
    (void)call, (void)calls;
    return !(time > job->cfg_truncation);
}

static const dit_part_kind parts[] = {
    {"transformer", (const char *const[]){"ZImageTransformer2DModel", NULL}, false},
    {"text_encoder", (const char *const[]){"Qwen3Model", "Qwen3ForCausalLM", NULL}, false},
    {"vae", (const char *const[]){"AutoencoderKL", "AutoencoderTiny", NULL}, false},
    {0},
};

const dit_pipeline_class dit_pipeline_class_z_image = {
    .name = "ZImagePipeline",
    .older_names = (const char *const[]){"ZImageImg2ImgPipeline", "ZImageInpaintPipeline", NULL},
    .parts = parts,
    .most_batch = MOST_ROWS / 2,
    .start = start,
    .encode = encode,
    .describe = describe,
    .answer = answer,
    .time = time_of,
    .guides_at = guides_at,
    .guide = guide,
};
