// pipelines/sana.c: SanaPipeline and SanaSprintPipeline: prompts behind an instruction through Gemma 2, pictures in the
// trained shape nearest to the one asked for, from an autoencoder of 32 pixels to a latent. Defaults and numbers of
// diffusers 0.42. Xie et al. 2024 (arXiv 2410.10629).
#include "models/sana.h"
#include "graph/ops.h"
#include "pipelines/aspect_ratio.h"
#include "text/clean.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 300, PIXELS = 32, SIDE = 1024 };

// What the published text encoder was asked in training (`complex_human_instruction` of diffusers' pipeline): the
// network knows prompts only behind these words.
static const char instruction[] =
    "Given a user prompt, generate an 'Enhanced prompt' that provides detailed visual descriptions suitable for image "
    "generation. Evaluate the level of detail in the user prompt:\n"
    "- If the prompt is simple, focus on adding specifics about colors, shapes, sizes, textures, and spatial "
    "relationships to create vivid and concrete scenes.\n"
    "- If the prompt is already detailed, refine and enhance the existing details slightly without overcomplicating.\n"
    "Here are examples of how to transform or refine prompts:\n"
    "- User Prompt: A cat sleeping -> Enhanced: A small, fluffy white cat curled up in a round shape, sleeping "
    "peacefully on a warm sunny windowsill, surrounded by pots of blooming red flowers.\n"
    "- User Prompt: A busy city street -> Enhanced: A bustling city street scene at dusk, featuring glowing street "
    "lamps, a diverse crowd of people in colorful clothing, and a double-decker bus passing by towering glass "
    "skyscrapers.\n"
    "Please generate only the enhanced description for the prompt below and avoid including any additional commentary "
    "or evaluations:\n"
    "User Prompt: ";

static const dit_sana_config *config_of(const dit_model *m)
{
    return dit_model_transformer_config(m);
}

static bool takes_guided(dit_json config)
{
    return !json_is_true(json_object_get(config.value, "guidance_embeds"));
}

static dit_status start_sized(dit_model *m, dit_job *job, dit_error *error)
{
    const dit_sana_config *c = config_of(m);
    if (!job->request->prompt)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--prompt: say what to draw");
    if (c->sample_size != 16 && c->sample_size != 32 && c->sample_size != 64 && c->sample_size != 128)
        return dit_fail(error, DIT_UNSUPPORTED,
                        "%s/transformer/config.json: \"sample_size\" is %d; %s knows pictures of 16, "
                        "32, 64 and 128 latents",
                        m->folder, c->sample_size, m->class->name);
    job->channels = c->in_channels;
    return dit_job_size_by_aspect_ratio(m, job, c->sample_size * PIXELS, SIDE, SIDE, error);
}

static dit_status start(dit_model *m, dit_job *job, dit_error *error)
{
    const dit_sana_config *c = config_of(m);
    if (c->guidance)
        return dit_fail(error, DIT_UNSUPPORTED,
                        "%s/transformer/config.json: \"guidance_embeds\" is true; such a network is "
                        "drawn with by SanaSprintPipeline",
                        m->folder);
    dit_job_choose(m, job, 20, 4.5);
    return start_sized(m, job, error);
}

// `before` and the text as the network knows texts, lower case and stripped; of malloc, NULL on failure.
static char *prepare(const char *before, const char *text, const char *flag, dit_error *error)
{
    char *clean = NULL, *whole = NULL;
    size_t size, head = strlen(before);
    if (dit_clean_lower(text, strlen(text), &clean, &size, error)) {
        dit_error_locate(error, flag);
    } else if (!(whole = malloc(head + size + 1))) {
        dit_fail(error, DIT_NO_MEMORY, "%s: no memory for %zu bytes of text", flag, head + size);
    } else {
        memcpy(whole, before, head);
        memcpy(whole + head, clean, size + 1);
    }
    free(clean);
    return whole;
}

// How many ids the instruction takes, with those that stand around every text.
static int instruction_length(dit_model *m, dit_error *error)
{
    const dit_tokenizer *tokenizer = dit_model_tokenizer(m, "tokenizer", error);
    int32_t *ids = NULL;
    size_t count = 0;
    if (tokenizer)
        dit_tokenizer_encode(tokenizer, instruction, strlen(instruction), 0, &ids, &count, error);
    free(ids);
    return (int)count;
}

// Of `from` (1, L, ...), the first and the last TOKENS - 1, into row `row` of `to` (R, TOKENS, ...).
static void select_tokens(const dit_array *from, dit_array *to, int64_t row)
{
    int64_t length = from->shape.dim[1];
    size_t token = dit_array_bytes(from) / (size_t)length;
    char *out = (char *)to->data + (size_t)row * TOKENS * token;
    const char *in = from->data;
    memcpy(out, in, token);
    memcpy(out + token, in + (size_t)(length - TOKENS + 1) * token, (TOKENS - 1) * token);
}

// Text `row` of 2, of `length` ids, into `states` (2, TOKENS, K) and `mask` (2, TOKENS), which are made with the first.
static dit_status encode_text(dit_model *m, const char *text, int length, int row, const dit_watch *watch,
                              dit_arrays *both, dit_error *error)
{
    static const char *const wanted[] = {"last_hidden_state", NULL}, *const names[] = {"last_hidden_state",
                                                                                       "attention_mask"};
    const dit_text_query query = {.tokenizer = "tokenizer",
                                  .encoder = "text_encoder",
                                  .texts = &text,
                                  .count = 1,
                                  .length = length,
                                  .mask = true,
                                  .pads_right = true,
                                  .wanted = wanted};
    dit_arrays one = {0};
    dit_encode_texts(m, &query, watch, &one, error);
    for (int i = 0; i < 2 && !error->status; i++) {
        const dit_array *from = dit_arrays_find(&one, names[i]);
        dit_array *to = dit_arrays_find(both, names[i]);
        dit_shape shape = from->shape;
        shape.dim[0] = 2, shape.dim[1] = TOKENS;
        if (!to && !(to = dit_arrays_add(both, names[i], from->dtype, shape, error)))
            break;
        select_tokens(from, to, row);
    }
    dit_arrays_free(&one);
    return error->status;
}

static dit_status encode(dit_model *m, const dit_job *job, dit_generator *generator, dit_conditions conditions,
                         const dit_watch *watch, dit_error *error)
{
    (void)generator;
    const char *texts[2];
    char *whole[2] = {NULL, NULL};
    dit_arrays both = {0};
    int count = dit_job_texts(job, texts), length = instruction_length(m, error) + TOKENS - 2;
    if (!error->status && (whole[0] = prepare(instruction, texts[0], "--prompt", error)))
        encode_text(m, whole[0], length, 0, watch, &both, error);
    if (!error->status && count > 1 && (whole[1] = prepare("", texts[1], "--negative-prompt", error)))
        encode_text(m, whole[1], TOKENS, 1, watch, &both, error);
    if (!error->status && !dit_conditions_rows(job, dit_arrays_find(&both, "last_hidden_state"), &conditions[0],
                                               "encoder_hidden_states", error))
        dit_conditions_rows(job, dit_arrays_find(&both, "attention_mask"), &conditions[0], "encoder_attention_mask",
                            error);
    dit_arrays_free(&both);
    free(whole[0]);
    free(whole[1]);
    return error->status;
}

static double time_of(const dit_model *m, const dit_job *job, double timestep)
{
    (void)job;
    return (double)((float)timestep * config_of(m)->timestep_scale);
}

static const dit_part_kind parts[] = {
    {"transformer", (const char *const[]){"SanaTransformer2DModel", NULL}, false},
    {"text_encoder", (const char *const[]){"Gemma2Model", "Gemma2ForCausalLM", NULL}, false},
    {"vae", (const char *const[]){"AutoencoderDC", NULL}, false},
    {0},
};

const dit_pipeline_class dit_pipeline_class_sana = {
    .name = "SanaPipeline",
    .parts = parts,
    .takes_transformer = takes_guided,
    .conditions_by_row = true,
    .start = start,
    .encode = encode,
    .time = time_of,
};

// Sprint: two steps of a consistency model, guidance distilled into the network. The network sees a flow's state and
// time, the sampler TrigFlow's: Chen et al. 2025 (arXiv 2503.09641), section 3.1.
// ---------------------------------------------------------------------------------------------------------------------

static bool takes_distilled(dit_json config)
{
    return !takes_guided(config);
}

static dit_status start_sprint(dit_model *m, dit_job *job, dit_error *error)
{
    if (!config_of(m)->guidance)
        return dit_fail(error, DIT_UNSUPPORTED,
                        "%s/transformer/config.json: \"guidance_embeds\" is false; such a network is "
                        "drawn with by SanaPipeline",
                        m->folder);
    if (config_of(m)->sample_size != 32)
        return dit_fail(error, DIT_UNSUPPORTED, "%s/transformer/config.json: \"sample_size\" is %d; %s knows 32",
                        m->folder, config_of(m)->sample_size, m->class->name);
    dit_job_choose(m, job, 2, 4.5);
    job->guided = false; // the network is given the scale
    job->state_scale = dit_json_number_or(dit_json_root(m->scheduler), "sigma_data", 0.5, 1e-6, 1e6, error);
    return error->status ? error->status : start_sized(m, job, error);
}

static dit_status encode_sprint(dit_model *m, const dit_job *job, dit_generator *generator, dit_conditions conditions,
                                const dit_watch *watch, dit_error *error)
{
    if (encode(m, job, generator, conditions, watch, error))
        return error->status;
    dit_array *guidance = dit_arrays_add(&conditions[0], "guidance", DIT_F32, DIT_SHAPE(job->rows), error);
    double scale = dit_model_part_number(m, "transformer", "guidance_embeds_scale", 0.1, error);
    for (int64_t i = 0; guidance && i < job->rows; i++)
        ((float *)guidance->data)[i] = (float)job->guidance_scale * (float)scale;
    return error->status;
}

// TrigFlow's angle as the flow's time.
static double time_of_sprint(const dit_model *m, const dit_job *job, double timestep)
{
    (void)m, (void)job;
    float t = (float)timestep;
    return (double)(sinf(t) / (cosf(t) + sinf(t)));
}

// sqrt(t^2 + (1 - t)^2): how much smaller the flow's state is.
static dit_tensor shrink(dit_graph *g, dit_tensor t)
{
    return dit_sqrt(g, dit_add(g, dit_square(g, t), dit_square(g, dit_affine(g, t, -1, 1))));
}

static void describe_sprint(const dit_model *m, dit_graph *g, const dit_job *job, dit_tensor latents, dit_tensor time,
                            dit_named_tensors *in)
{
    (void)m;
    dit_tensor t = dit_tap(g, "sprint.time", dit_reshape(g, time, DIT_SHAPE(job->rows, 1, 1, 1)));
    dit_tensor x = dit_mul(g, dit_affine(g, latents, (float)(1 / job->state_scale), 0), shrink(g, t)); // (B, C, H, W)
    dit_named_add(in, "hidden_states", dit_tap(g, "sprint.state", x));
    dit_named_add(in, "timestep", time);
}

// The flow's velocity as TrigFlow's: ((1 - 2 t) x + (1 - 2 t + 2 t^2) v) / sqrt(t^2 + (1 - t)^2), times sigma_data.
static dit_tensor answer_sprint(const dit_model *m, dit_graph *g, const dit_job *job, const dit_named_tensors *out)
{
    (void)m;
    dit_tensor t = dit_tap_read(g, "sprint.time"), x = dit_tap_read(g, "sprint.state");
    dit_tensor line = dit_affine(g, t, -2, 1);
    dit_tensor of_v = dit_add(g, line, dit_affine(g, dit_square(g, t), 2, 0));
    dit_tensor sum = dit_add(g, dit_mul(g, x, line), dit_mul(g, dit_named_find(out, "sample"), of_v));
    return dit_affine(g, dit_div(g, sum, shrink(g, t)), (float)job->state_scale, 0);
}

const dit_pipeline_class dit_pipeline_class_sana_sprint = {
    .name = "SanaSprintPipeline",
    .parts = parts,
    .takes_transformer = takes_distilled,
    .conditions_by_row = true,
    .start = start_sprint,
    .encode = encode_sprint,
    .describe = describe_sprint,
    .answer = answer_sprint,
    .time = time_of_sprint,
};
