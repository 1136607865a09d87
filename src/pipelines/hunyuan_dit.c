// pipelines/hunyuan_dit.c: HunyuanDiTPipeline: prompts through BERT and mT5, pictures in one of ten shapes, turned
// positions on a grid that larger pictures spread over. Defaults and numbers of diffusers 0.42. Li et al. 2024 (arXiv
// 2405.08748).
#include "models/hunyuan_dit.h"
#include "pipelines/pipeline.h"
#include <math.h>

enum { BERT_TOKENS = 77, T5_TOKENS = 256, PIXELS = 8, BASE = 512, MULTIPLE = 16, SIZES = 6, ORIGINAL = 1024 };

static const dit_hunyuan_dit_config *config_of(const dit_model *m)
{
    return dit_model_transformer_config(m);
}

// Widths and heights that it was trained on, by aspect ratio.
static const struct ratio {
    double ratio;
    int shapes;
    short shape[3][2];
} ratios[] = {
    {1, 2, {{1024, 1024}, {1280, 1280}}},
    {4.0 / 3, 3, {{1024, 768}, {1152, 864}, {1280, 960}}},
    {3.0 / 4, 3, {{768, 1024}, {864, 1152}, {960, 1280}}},
    {16.0 / 9, 1, {{1280, 768}}},
    {9.0 / 16, 1, {{768, 1280}}},
};

// The shape nearest to a request's: by ratio, then by area. Some of the ten are nearer to another ratio than their
// own, and stay as they are.
static void choose_shape(int *width, int *height)
{
    const struct ratio *best = &ratios[0];
    double wanted = (double)*width / *height;
    int nearest = 0;
    for (size_t i = 0; i < sizeof ratios / sizeof *ratios; i++) {
        for (int k = 0; k < ratios[i].shapes; k++)
            if (ratios[i].shape[k][0] == *width && ratios[i].shape[k][1] == *height)
                return;
        if (fabs(ratios[i].ratio - wanted) < fabs(best->ratio - wanted))
            best = &ratios[i];
    }
    double area = (double)*width * *height;
    for (int k = 1; k < best->shapes; k++)
        if (fabs((double)best->shape[k][0] * best->shape[k][1] - area) <
            fabs((double)best->shape[nearest][0] * best->shape[nearest][1] - area))
            nearest = k;
    *width = best->shape[nearest][0], *height = best->shape[nearest][1];
}

static dit_status start(dit_model *m, dit_job *job, dit_error *error)
{
    const dit_hunyuan_dit_config *c = config_of(m);
    const dit_request *r = job->request;
    int pixels = dit_model_pixels_per_latent(m, error);
    if (error->status)
        return error->status;
    if (!r->prompt)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--prompt: say what to draw");
    if (c->out_channels != 2 * c->in_channels || c->text_length != BERT_TOKENS || c->text_length_t5 != T5_TOKENS ||
        pixels != PIXELS)
        return dit_fail(
            error, DIT_UNSUPPORTED,
            "%s: %s takes a network with learn_sigma, text_len %d and text_len_t5 %d, and an autoencoder of "
            "%d pixels to a latent",
            m->folder, m->class->name, BERT_TOKENS, T5_TOKENS, PIXELS);
    dit_request sized = *r;
    sized.width = (r->width ? r->width : c->sample_size * pixels) / MULTIPLE * MULTIPLE;
    sized.height = (r->height ? r->height : c->sample_size * pixels) / MULTIPLE * MULTIPLE;
    if (sized.width < 1 || sized.height < 1)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: less than %d pixels", sized.width < 1 ? "--width" : "--height",
                        MULTIPLE);
    choose_shape(&sized.width, &sized.height);
    dit_job_choose(m, job, 50, 5);
    job->channels = c->in_channels;
    job->request = &sized;
    dit_job_size(m, job, sized.height, sized.width, MULTIPLE, error);
    job->request = r;
    return error->status;
}

// Point `i` of `count` from `first` on, `count` steps before `end`: in f32 from both ends, as torch's linspace.
static float point(float first, float end, int64_t count, int64_t i)
{
    const float last = (float)((double)end * (double)(count - 1) / (double)count);
    const float step = count > 1 ? (last - first) / (float)(count - 1) : 0;
    return i < count / 2 || count == 1 ? first + step * (float)i : last - step * (float)(count - 1 - i);
}

// Cosines and sines (T, D) of the grid: the first half of a head turns with the column, the second with the row. The
// grid lies in the middle of the square of a picture of 512 pixels, as large as it fits.
static dit_status add_rope(const dit_hunyuan_dit_config *c, const dit_job *job, dit_arrays *to, dit_error *error)
{
    const int64_t rows = job->height / c->patch, columns = job->width / c->patch, D = c->head_width, quarter = D / 4;
    const double base = (double)(BASE / PIXELS / c->patch);
    const double tall = rows > columns ? base : nearbyint(base / (double)columns * (double)rows);
    const double wide = rows > columns ? nearbyint(base / (double)rows * (double)columns) : base;
    const double top = nearbyint((base - tall) / 2), left = nearbyint((base - wide) / 2);
    dit_array *tables[] = {dit_arrays_add(to, "image_rotary_emb.0", DIT_F32, DIT_SHAPE(rows * columns, D), error),
                           dit_arrays_add(to, "image_rotary_emb.1", DIT_F32, DIT_SHAPE(rows * columns, D), error)};
    for (int64_t n = 0; n < rows * columns * D && !error->status; n++) {
        const int64_t t = n / D, pair = n % (D / 2) / 2;
        const float x = point((float)left, (float)(left + wide), columns, t % columns),
                    y = point((float)top, (float)(top + tall), rows, t / columns);
        const float frequency = 1 / powf(10000, (float)(2 * pair) / (float)(2 * quarter));
        const float angle = (n % D < D / 2 ? x : y) * frequency;
        ((float *)tables[0]->data)[n] = cosf(angle);
        ((float *)tables[1]->data)[n] = sinf(angle);
    }
    return error->status;
}

// What versions up to 1.1 are told of the picture: the size it comes from, that it gets, where it is cut; its style.
static dit_status add_size(const dit_job *job, dit_arrays *to, dit_error *error)
{
    const float numbers[SIZES] = {ORIGINAL, ORIGINAL, (float)job->picture_height, (float)job->picture_width, 0, 0};
    dit_array *sizes = dit_arrays_add(to, "image_meta_size", DIT_F32, DIT_SHAPE(job->rows, SIZES), error);
    for (int64_t i = 0; sizes && i < job->rows * SIZES; i++)
        ((float *)sizes->data)[i] = numbers[i % SIZES];
    dit_arrays_add(to, "style", DIT_I64, DIT_SHAPE(job->rows), error); // zeros: the only one
    return error->status;
}

static dit_status encode(dit_model *m, const dit_job *job, dit_generator *generator, dit_conditions conditions,
                         const dit_watch *watch, dit_error *error)
{
    (void)generator;
    static const struct {
        const char *tokenizer, *encoder, *states, *mask;
        int length;
    } kinds[] = {{"tokenizer", "text_encoder", "encoder_hidden_states", "text_embedding_mask", BERT_TOKENS},
                 {"tokenizer_2", "text_encoder_2", "encoder_hidden_states_t5", "text_embedding_mask_t5", T5_TOKENS}};
    const char *texts[2];
    dit_arrays *to = &conditions[0];
    int count = dit_job_texts(job, texts);
    for (int i = 0; i < 2 && !error->status; i++) {
        dit_arrays out = {0};
        const dit_text_query query = {.tokenizer = kinds[i].tokenizer,
                                      .encoder = kinds[i].encoder,
                                      .texts = texts,
                                      .count = count,
                                      .length = kinds[i].length,
                                      .mask = true,
                                      .weighting = job->weighting,
                                      .wanted = (const char *const[]){"last_hidden_state", NULL}};
        if (!dit_encode_texts(m, &query, watch, &out, error) &&
            !dit_conditions_rows(job, dit_arrays_find(&out, "last_hidden_state"), to, kinds[i].states, error))
            dit_conditions_rows(job, dit_arrays_find(&out, "attention_mask"), to, kinds[i].mask, error);
        dit_arrays_free(&out);
    }
    if (!error->status && config_of(m)->size_and_style)
        add_size(job, to, error);
    return error->status ? error->status : add_rope(config_of(m), job, to, error);
}

static const dit_part_kind parts[] = {
    {"transformer", (const char *const[]){"HunyuanDiT2DModel", NULL}, false},
    {"text_encoder", (const char *const[]){"BertModel", NULL}, false},
    {"text_encoder_2", (const char *const[]){"T5EncoderModel", "MT5EncoderModel", NULL}, false},
    {"vae", (const char *const[]){"AutoencoderKL", NULL}, false},
    {0},
};

const dit_pipeline_class dit_pipeline_class_hunyuan_dit = {
    .name = "HunyuanDiTPipeline",
    .parts = parts,
    .weighs_prompts = true,
    .start = start,
    .encode = encode,
};
