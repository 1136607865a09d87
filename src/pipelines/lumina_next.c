// pipelines/lumina_next.c: LuminaPipeline: prompts, cleaned, through Gemma, of which the last state but one is taken;
// time runs from 0 for noise to 1; positions stretch with the picture. Defaults and numbers of diffusers 0.42.
// Lumina-Next: Zhuo et al. 2024 (arXiv 2406.18583).
#include "graph/ops.h"
#include "pipelines/reversed.h"
#include "text/clean.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 256, MULTIPLE = 8, GUIDED_CHANNELS = 3 };

static dit_status start(dit_model *m, dit_job *job, dit_error *error)
{
    int pixels = dit_model_pixels_per_latent(m, error);
    int size = (int)dit_model_part_number(m, "transformer", "sample_size", 128, error) * pixels;
    if (!job->request->prompt)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--prompt: say what to draw");
    dit_job_choose(m, job, 30, 4);
    job->channels = (int64_t)dit_model_part_number(m, "transformer", "in_channels", 4, error);
    return error->status ? error->status : dit_job_size(m, job, size, size, 2 * pixels, error);
}

// How many ids the prompt's row has in the public pipeline, which cuts the negative prompt to as many.
static int row_length(dit_model *m, const char *prompt, dit_error *error)
{
    const dit_tokenizer *tokenizer = dit_model_tokenizer(m, "tokenizer", error);
    int32_t *ids = NULL;
    size_t count = 0;
    if (tokenizer)
        dit_tokenizer_encode(tokenizer, prompt, strlen(prompt), TOKENS, &ids, &count, error);
    free(ids);
    return (int)(count + MULTIPLE - 1) / MULTIPLE * MULTIPLE;
}

// Turns of the picture's grid, (rows, columns, D/2, 2): rows and columns take turns in the pairs of a head. Frequencies
// are powers of 1 / theta, and divided by `factor`.
static dit_status add_rope(dit_model *m, const dit_job *job, const char *name, float theta, float factor,
                           dit_arrays *to, dit_error *error)
{
    int64_t patch = (int64_t)dit_model_part_number(m, "transformer", "patch_size", 2, error);
    int64_t head = (int64_t)dit_model_part_number(m, "transformer", "hidden_size", 2304, error) /
                   (int64_t)dit_model_part_number(m, "transformer", "num_attention_heads", 32, error);
    int64_t rows = job->height / patch, columns = job->width / patch;
    dit_array *table = dit_arrays_add(to, name, DIT_F32, DIT_SHAPE(rows, columns, head / 2, 2), error);
    for (int64_t n = 0; table && n < rows * columns * (head / 2); n++) {
        int64_t pair = n % (head / 2), at = n / (head / 2);
        float frequency = 1 / powf(theta, (float)(2 * (pair / 2)) / (float)(head / 2)) / factor;
        float angle = (float)(pair % 2 ? at % columns : at / columns) * frequency;
        ((float *)table->data)[2 * n] = cosf(angle);
        ((float *)table->data)[2 * n + 1] = sinf(angle);
    }
    return error->status;
}

// Larger pictures than those of training spread over as many positions. At time 1 and beyond, which only samplers that
// begin at the picture reach, low frequencies are stretched instead (section 2.3 of the paper, "NTK-aware").
static dit_status add_ropes(dit_model *m, const dit_job *job, dit_arrays *to, dit_error *error)
{
    const double theta = 10000;
    double size = dit_model_part_number(m, "transformer", "sample_size", 128, error) * 8;
    double factor = sqrt((double)job->picture_width * (double)job->picture_height / (size * size));
    if (!add_rope(m, job, "rope.before_1", (float)theta, (float)factor, to, error))
        add_rope(m, job, "rope.from_1", (float)(theta * factor), 1, to, error);
    return error->status;
}

// One text of `length` ids, row `row` of 2 of `states` (2, TOKENS, K) and `mask` (2, TOKENS), made with the first.
static dit_status encode_text(dit_model *m, const char *text, int length, int row, const dit_watch *watch,
                              dit_arrays *both, dit_error *error)
{
    char state[40];
    int layers = (int)dit_model_part_number(m, "text_encoder", "num_hidden_layers", 18, error);
    snprintf(state, sizeof state, "hidden_states.%d", layers - 1);
    const char *const names[] = {"states", "attention_mask"}, *const found[] = {state, "attention_mask"};
    const dit_text_query query = {.tokenizer = "tokenizer",
                                  .encoder = "text_encoder",
                                  .texts = &text,
                                  .count = 1,
                                  .length = length,
                                  .mask = true,
                                  .wanted = (const char *const[]){state, NULL}};
    dit_arrays one = {0};
    if (!error->status)
        dit_encode_texts(m, &query, watch, &one, error);
    for (int i = 0; i < 2 && !error->status; i++) {
        const dit_array *from = dit_arrays_find(&one, found[i]);
        dit_array *to = dit_arrays_find(both, names[i]);
        dit_shape shape = from->shape;
        shape.dim[0] = 2;
        if (!to && !(to = dit_arrays_add(both, names[i], from->dtype, shape, error)))
            break;
        size_t bytes = dit_array_bytes(from);
        memcpy((char *)to->data + (size_t)row * bytes, from->data, bytes);
    }
    dit_arrays_free(&one);
    return error->status;
}

static dit_status encode(dit_model *m, const dit_job *job, dit_generator *generator, dit_conditions conditions,
                         const dit_watch *watch, dit_error *error)
{
    (void)generator;
    const char *texts[2];
    char *clean = NULL;
    dit_arrays both = {0};
    int count = dit_job_texts(job, texts);
    if (dit_clean_caption(texts[0], strlen(texts[0]), &clean, NULL, error)) {
        dit_error_locate(error, "--prompt");
        return error->status;
    }
    int length = row_length(m, clean, error);
    if (!error->status && !encode_text(m, clean, length, 0, watch, &both, error) && count > 1)
        encode_text(m, texts[1], length, 1, watch, &both, error);
    if (!error->status &&
        !dit_conditions_rows(job, dit_arrays_find(&both, "states"), &conditions[0], "encoder_hidden_states", error) &&
        !dit_conditions_rows(job, dit_arrays_find(&both, "attention_mask"), &conditions[0], "encoder_mask", error))
        add_ropes(m, job, &conditions[0], error);
    dit_arrays_free(&both);
    free(clean);
    return error->status;
}

static void describe(const dit_model *m, dit_graph *g, const dit_job *job, dit_tensor latents, dit_tensor time,
                     dit_named_tensors *in)
{
    (void)job;
    const dit_json config = dit_json_root(((const dit_component *)&m->parts[0].component)->json);
    const json_t *size = json_object_get(config.value, "sample_size");
    int64_t side = (size ? json_integer_value(size) : 128) * 8 / 16, base = side * side;
    const float one = 1;
    dit_tensor is_before = dit_less(g, dit_slice(g, time, 0, 0, 1, 1), dit_constant(g, DIT_F32, DIT_SCALAR, &one));
    dit_named_add(in, "hidden_states", latents);
    dit_named_add(in, "timestep", time);
    dit_named_add(in, "image_rotary_emb",
                  dit_where(g, is_before, dit_named_find(in, "rope.before_1"), dit_named_find(in, "rope.from_1")));
    dit_named_add(in, "cross_attention_kwargs.base_sequence_length", dit_constant(g, DIT_I64, DIT_SCALAR, &base));
}

// Classifier-free guidance of the first three channels; the others are the conditional answer's.
static void guide(const dit_model *m, const dit_job *job, const dit_guide_call *call)
{
    (void)m;
    const int64_t inner = call->size.inner;
    const float scale = (float)job->guidance_scale;
    for (int64_t b = 0; b < call->size.batch; b++)
        for (int64_t c = 0; c < job->channels; c++) {
            const int64_t from = (b * call->size.channels + c) * inner;
            const bool guided = call->without && c < GUIDED_CHANNELS;
            float *out = call->out + from;
            for (int64_t i = 0; i < inner; i++) {
                float with = call->with[from + i], without = guided ? call->without[from + i] : 0;
                out[i] = guided ? without + scale * (with - without) : with;
            }
        }
}

static const dit_part_kind parts[] = {
    {"transformer", (const char *const[]){"LuminaNextDiT2DModel", NULL}, false},
    {"text_encoder", (const char *const[]){"GemmaModel", "GemmaForCausalLM", NULL}, false},
    {"vae", (const char *const[]){"AutoencoderKL", "AutoencoderTiny", NULL}, false},
    {0},
};

const dit_pipeline_class dit_pipeline_class_lumina_next = {
    .name = "LuminaPipeline",
    .older_names = (const char *const[]){"LuminaText2ImgPipeline", NULL},
    .parts = parts,
    .start = start,
    .encode = encode,
    .describe = describe,
    .answer = dit_reversed_answer,
    .time = dit_reversed_time,
    .guide = guide,
};
