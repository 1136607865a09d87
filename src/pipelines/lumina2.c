// pipelines/lumina2.c: Lumina2Pipeline: prompts behind a system prompt through Gemma 2, of which the last state but one
// is taken; time runs from 0 for noise to 1; guided answers keep the length of the conditional ones. Defaults and
// numbers of diffusers 0.42. Lumina-Image 2.0: Qin et al. 2025 (arXiv 2503.21758).
#include "pipelines/reversed.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 256 };

// What stood before every prompt in training (`system_prompt` of diffusers' pipeline).
static const char system_prompt[] =
    "You are an assistant designed to generate superior images with the superior degree of image-text alignment based "
    "on textual prompts or user prompts. <Prompt Start> ";

static dit_status start(dit_model *m, dit_job *job, dit_error *error)
{
    int pixels = dit_model_pixels_per_latent(m, error);
    int size = (int)dit_model_part_number(m, "transformer", "sample_size", 128, error) * pixels;
    if (!job->request->prompt)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--prompt: say what to draw");
    dit_job_choose(m, job, 30, 4);
    job->channels = (int64_t)dit_model_part_number(m, "transformer", "in_channels", 16, error);
    if (error->status || dit_job_size(m, job, size, size, 2 * pixels, error))
        return error->status;
    job->shift_tokens = job->channels; // what the public pipeline takes for the number of tokens
    return dit_job_linear_sigmas(job, error);
}

static dit_status encode(dit_model *m, const dit_job *job, dit_generator *generator, dit_conditions conditions,
                         const dit_watch *watch, dit_error *error)
{
    (void)generator;
    const char *texts[2];
    char state[40];
    dit_arrays out = {0};
    int count = dit_job_texts(job, texts);
    int layers = (int)dit_model_part_number(m, "text_encoder", "num_hidden_layers", 26, error);
    char *prompt = malloc(sizeof system_prompt + strlen(texts[0]));
    if (!prompt)
        return dit_fail(error, DIT_NO_MEMORY, "--prompt: no memory for it");
    strcpy(prompt, system_prompt);
    strcat(prompt, texts[0]);
    snprintf(state, sizeof state, "hidden_states.%d", layers - 1);
    const dit_text_query query = {.tokenizer = "tokenizer",
                                  .encoder = "text_encoder",
                                  .texts = (const char *const[]){prompt, texts[1]},
                                  .count = count,
                                  .length = TOKENS,
                                  .mask = true,
                                  .pads_right = true,
                                  .weighting = job->weighting,
                                  .keeps_spaces = true,
                                  .wanted = (const char *const[]){state, NULL}};
    if (!error->status && !dit_encode_texts(m, &query, watch, &out, error) &&
        !dit_conditions_rows(job, dit_arrays_find(&out, state), &conditions[0], "encoder_hidden_states", error))
        dit_conditions_rows(job, dit_arrays_find(&out, "attention_mask"), &conditions[0], "encoder_attention_mask",
                            error);
    dit_arrays_free(&out);
    free(prompt);
    return error->status;
}

// Classifier-free guidance, after which every row of the picture is as long as that of the conditional answer,
// unless cfg_normalization is 0.
static void guide(const dit_model *m, const dit_job *job, const dit_guide_call *call)
{
    (void)m;
    const int64_t width = job->width, rows = call->size.batch * call->size.channels * call->size.inner / width;
    const float scale = (float)job->guidance_scale;
    for (int64_t r = 0; r < rows; r++) {
        const float *with = call->with + r * width, *without = call->without ? call->without + r * width : NULL;
        float *out = call->out + r * width;
        double wanted = 0, found = 0;
        for (int64_t i = 0; i < width; i++) {
            float guided = without ? without[i] + scale * (with[i] - without[i]) : with[i];
            wanted += (double)with[i] * with[i];
            found += (double)guided * guided;
            out[i] = guided;
        }
        const float ratio = found > 0 ? (float)sqrt(wanted) / (float)sqrt(found) : 1;
        for (int64_t i = 0; without && job->cfg_normalization != 0 && i < width; i++)
            out[i] *= ratio;
    }
}

static bool guides_at(const dit_job *job, int call, int calls, double time)
{
    (void)time;
    return !((double)(call + 1) / calls > job->cfg_truncation);
}

static const dit_part_kind parts[] = {
    {"transformer", (const char *const[]){"Lumina2Transformer2DModel", NULL}, false},
    {"text_encoder", (const char *const[]){"Gemma2Model", "Gemma2ForCausalLM", NULL}, false},
    {"vae", (const char *const[]){"AutoencoderKL", "AutoencoderTiny", NULL}, false},
    {0},
};

const dit_pipeline_class dit_pipeline_class_lumina2 = {
    .name = "Lumina2Pipeline",
    .older_names = (const char *const[]){"Lumina2Text2ImgPipeline", NULL},
    .parts = parts,
    .weighs_prompts = true,
    .conditions_by_row = true,
    .start = start,
    .encode = encode,
    .answer = dit_reversed_answer,
    .time = dit_reversed_time,
    .guides_at = guides_at,
    .guide = guide,
};
