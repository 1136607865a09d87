// pipelines/pixart.c: PixArtAlphaPipeline and PixArtSigmaPipeline: prompts, cleaned, through T5; pictures in the
// trained shape nearest to the one asked for. Defaults and numbers of diffusers 0.42. Chen et al. 2023 (arXiv
// 2310.00426), 2024 (arXiv 2403.04692).
#include "models/pixart.h"
#include "pipelines/aspect_ratio.h"
#include "text/clean.h"

enum { ALPHA_TOKENS = 120, SIGMA_TOKENS = 300, PIXELS = 8 }; // the published decoders' pixels to a latent

extern const dit_pipeline_class dit_pipeline_class_pixart_alpha; // below

static const dit_pixart_config *config_of(const dit_model *m)
{
    return dit_model_transformer_config(m);
}

static bool is_alpha(const dit_model *m)
{
    return m->class == &dit_pipeline_class_pixart_alpha;
}

// Original files carry the empty caption, from whose length alpha and Sigma can be told apart; configurations do not.
static bool takes_short_captions(dit_json config)
{
    int64_t length = json_integer_value(json_object_get(config.value, "_caption_length"));
    return length == 0 || length == ALPHA_TOKENS;
}

static bool takes_long_captions(dit_json config)
{
    int64_t length = json_integer_value(json_object_get(config.value, "_caption_length"));
    return length == 0 || length != ALPHA_TOKENS;
}

static dit_status start(dit_model *m, dit_job *job, dit_error *error)
{
    const dit_pixart_config *c = config_of(m);
    int pixels = dit_model_pixels_per_latent(m, error), size = c->sample_size;
    if (!job->request->prompt)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--prompt: say what to draw");
    if (size != 32 && size != 64 && size != 128 && (size != 256 || is_alpha(m)))
        return dit_fail(error, DIT_UNSUPPORTED,
                        "%s/transformer/config.json: \"sample_size\" is %d; %s knows pictures of 32, "
                        "64, 128%s latents",
                        m->folder, size, m->class->name, is_alpha(m) ? "" : " and 256");
    dit_job_choose(m, job, 20, 4.5);
    job->channels = c->in_channels;
    return error->status ? error->status
                         : dit_job_size_by_aspect_ratio(m, job, size * PIXELS, size * pixels, size * pixels, error);
}

// The size that alpha's network of 1024 pixels is told, for every row.
static dit_status add_size(const dit_job *job, dit_arrays *to, dit_error *error)
{
    dit_array *resolution = dit_arrays_add(to, "added_cond_kwargs.resolution", DIT_F32, DIT_SHAPE(job->rows, 2), error);
    float height = (float)job->picture_height, width = (float)job->picture_width;
    for (int64_t i = 0; resolution && i < job->rows; i++) {
        ((float *)resolution->data)[2 * i] = height;
        ((float *)resolution->data)[2 * i + 1] = width;
    }
    dit_array *ratio = dit_arrays_add(to, "added_cond_kwargs.aspect_ratio", DIT_F32, DIT_SHAPE(job->rows, 1), error);
    for (int64_t i = 0; ratio && i < job->rows; i++)
        ((float *)ratio->data)[i] = (float)((double)job->picture_height / (double)job->picture_width);
    return error->status;
}

static dit_status encode(dit_model *m, const dit_job *job, dit_generator *generator, dit_conditions conditions,
                         const dit_watch *watch, dit_error *error)
{
    (void)generator;
    const char *texts[2];
    dit_arrays t5 = {0}, *to = &conditions[0];
    int count = dit_job_texts(job, texts);
    const dit_text_query query = {.tokenizer = "tokenizer",
                                  .encoder = "text_encoder",
                                  .texts = texts,
                                  .count = count,
                                  .length = is_alpha(m) ? ALPHA_TOKENS : SIGMA_TOKENS,
                                  .mask = true,
                                  .clean = dit_clean_caption,
                                  .weighting = job->weighting,
                                  .empty_is_padding = true, // what ComfyUI takes for one with this model
                                  .wanted = (const char *const[]){"last_hidden_state", NULL}};
    if (!dit_encode_texts(m, &query, watch, &t5, error) &&
        !dit_conditions_rows(job, dit_arrays_find(&t5, "last_hidden_state"), to, "encoder_hidden_states", error) &&
        !dit_conditions_rows(job, dit_arrays_find(&t5, "attention_mask"), to, "encoder_attention_mask", error) &&
        config_of(m)->size_conditions)
        add_size(job, to, error);
    dit_arrays_free(&t5);
    return error->status;
}

static const dit_part_kind parts[] = {
    {"transformer", (const char *const[]){"PixArtTransformer2DModel", NULL}, false},
    {"text_encoder", (const char *const[]){"T5EncoderModel", NULL}, false},
    {"vae", (const char *const[]){"AutoencoderKL", "AutoencoderTiny", NULL}, false},
    {0},
};

const dit_pipeline_class dit_pipeline_class_pixart_alpha = {
    .name = "PixArtAlphaPipeline",
    .parts = parts,
    .takes_transformer = takes_short_captions,
    .weighs_prompts = true,
    .conditions_by_row = true,
    .start = start,
    .encode = encode,
};

const dit_pipeline_class dit_pipeline_class_pixart_sigma = {
    .name = "PixArtSigmaPipeline",
    .parts = parts,
    .takes_transformer = takes_long_captions,
    .weighs_prompts = true,
    .conditions_by_row = true,
    .start = start,
    .encode = encode,
};
