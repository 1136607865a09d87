// pipelines/flux.c: FluxPipeline, FluxKontextPipeline and FluxFillPipeline: CLIP's pooled state and T5's states as
// conditions, latents in packs of 2x2, guidance distilled into the network. Kontext also sees a reference picture,
// whose tokens follow those of the picture drawn, one step away in time. Defaults and numbers of diffusers 0.42. Black
// Forest Labs 2024; Kontext: Labs et al. 2025 (arXiv 2506.15742).
#include "models/flux.h"
#include "graph/ops.h"
#include "media/image.h"
#include "pipelines/pipeline.h"
#include "pipelines/start_picture.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PACK = 2, CLIP_TOKENS = 77, T5_TOKENS = 512, AXES = DIT_FLUX_AXES };

static const dit_flux_config *config_of(const dit_model *m)
{
    return dit_model_transformer_config(m);
}

static dit_status open(dit_model *m, dit_error *error)
{
    const dit_flux_config *c = config_of(m);
    if (c->in_channels % (PACK * PACK) || c->in_channels != c->out_channels)
        return dit_fail(
            error, DIT_UNSUPPORTED,
            "%s/transformer: takes %d features and gives %d; %s takes a network of as many (Fill and Control "
            "networks have pipelines of their own)",
            m->folder, c->in_channels, c->out_channels, m->class->name);
    return DIT_OK;
}

static int64_t integer(dit_json config, const char *key)
{
    return json_integer_value(json_object_get(config.value, key));
}

// Of FLUX.1 and Kontext: latents in, latents out.
static bool takes_latents(dit_json config)
{
    int64_t out = integer(config, "out_channels");
    return out == 0 || integer(config, "in_channels") == out;
}

// Sizes and the rest, once the picture's sides are known.
static dit_status start_sized(dit_model *m, dit_job *job, int height, int width, int steps, double guidance,
                              dit_error *error)
{
    int pixels = dit_model_pixels_per_latent(m, error);
    if (!job->request->prompt)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--prompt: say what to draw");
    dit_job_choose(m, job, steps, guidance);
    job->guided = job->true_cfg_scale > 1; // beside the scale that the network is given
    job->channels = config_of(m)->out_channels / (PACK * PACK);
    if (error->status || dit_job_size(m, job, height, width, PACK * pixels, error))
        return error->status;
    job->shift_tokens = job->height / PACK * (job->width / PACK);
    return dit_job_linear_sigmas(job, error);
}

static dit_status start(dit_model *m, dit_job *job, dit_error *error)
{
    int side = 128 * dit_model_pixels_per_latent(m, error);
    return start_sized(m, job, side, side, 28, job->request->init_image ? 7 : 3.5, error);
}

// Positions (time, row, column) of a grid of packs.
static void place(float *ids, int64_t rows, int64_t columns, float time)
{
    for (int64_t i = 0; i < rows * columns; i++) {
        ids[i * AXES] = time;
        ids[i * AXES + 1] = (float)(i / columns);
        ids[i * AXES + 2] = (float)(i % columns);
    }
}

static dit_status encode_prompt(dit_model *m, const dit_job *job, dit_arrays *to, const dit_watch *watch,
                                dit_error *error)
{
    const char *texts[2];
    dit_arrays clip = {0}, t5 = {0};
    const dit_tokenizer *tokenizer = dit_model_tokenizer(m, "tokenizer", error);
    const int count = dit_job_texts(job, texts);
    if (!tokenizer)
        return error->status;
    size_t most = dit_tokenizer_ask(tokenizer).most;
    const dit_text_query queries[] = {
        {.tokenizer = "tokenizer",
         .encoder = "text_encoder",
         .texts = texts,
         .count = count,
         .length = most ? (int)most : CLIP_TOKENS,
         .weighting = job->weighting,
         .chunks = true, // of which the first one's pooled state is taken
         .wanted = (const char *const[]){"pooler_output", NULL}},
        {.tokenizer = "tokenizer_2",
         .encoder = "text_encoder_2",
         .texts = texts,
         .count = count,
         .length = T5_TOKENS,
         .weighting = job->weighting,
         .wanted = (const char *const[]){"last_hidden_state", NULL}},
    };
    if (!dit_encode_texts(m, &queries[0], watch, &clip, error) &&
        !dit_encode_texts(m, &queries[1], watch, &t5, error) &&
        !dit_conditions_rows(job, dit_arrays_find(&clip, "pooler_output"), to, "pooled_projections", error))
        dit_conditions_rows(job, dit_arrays_find(&t5, "last_hidden_state"), to, "encoder_hidden_states", error);
    dit_arrays_free(&clip);
    dit_arrays_free(&t5);
    return error->status;
}

// Everything but reference pictures: `rows` x `columns` packs of the reference's grid make room for its positions.
static dit_status encode_with(dit_model *m, const dit_job *job, int64_t rows, int64_t columns, dit_arrays *to,
                              const dit_watch *watch, dit_error *error)
{
    const int64_t own = job->shift_tokens;
    if (encode_prompt(m, job, to, watch, error) ||
        !dit_arrays_add(to, "txt_ids", DIT_F32, DIT_SHAPE(T5_TOKENS, AXES), error))
        return error->status;
    dit_array *ids = dit_arrays_add(to, "img_ids", DIT_F32, DIT_SHAPE(own + rows * columns, AXES), error);
    if (!ids)
        return error->status;
    place(ids->data, job->height / PACK, job->width / PACK, 0);
    place((float *)ids->data + own * AXES, rows, columns, 1);
    if (config_of(m)->guidance) {
        dit_array *guidance = dit_arrays_add(to, "guidance", DIT_F32, DIT_SHAPE(job->rows), error);
        for (int64_t i = 0; guidance && i < job->rows; i++)
            ((float *)guidance->data)[i] = (float)job->guidance_scale;
    }
    return error->status;
}

static dit_status encode(dit_model *m, const dit_job *job, dit_generator *generator, dit_conditions conditions,
                         const dit_watch *watch, dit_error *error)
{
    (void)generator;
    return encode_with(m, job, 0, 0, &conditions[0], watch, error);
}

// (B, C, H, W) -> (B, H/2 W/2, 4 C)
static dit_tensor pack(dit_graph *g, dit_tensor latents)
{
    return dit_patchify(g, latents, (int[]){1, PACK, PACK}, DIT_PATCH_CHANNEL_FIRST);
}

static void describe(const dit_model *m, dit_graph *g, const dit_job *job, dit_tensor latents, dit_tensor time,
                     dit_named_tensors *in)
{
    (void)m, (void)job;
    dit_tensor reference = dit_named_find(in, "reference"), tokens = pack(g, latents); // (B, T, 4 C)
    if (!dit_is_none(reference))
        tokens = dit_concat(g, (dit_tensor[]){tokens, pack(g, reference)}, 2, 1);
    dit_named_add(in, "hidden_states", tokens);
    dit_named_add(in, "timestep", time);
}

static dit_tensor answer(const dit_model *m, dit_graph *g, const dit_job *job, const dit_named_tensors *out)
{
    (void)m;
    dit_tensor tokens =
        dit_slice(g, dit_named_find(out, "sample"), 1, 0, job->shift_tokens, 1); // without a reference's
    return dit_unpatchify(g, tokens, (int[]){1, PACK, PACK}, DIT_PATCH_CHANNEL_FIRST,
                          DIT_SHAPE(job->rows, job->channels, job->height, job->width));
}

static double time_of(const dit_model *m, const dit_job *job, double timestep)
{
    (void)m, (void)job;
    return (double)((float)timestep / 1000);
}

// Packed, as the public pipeline hands latents out: (B, H/2 W/2, 4 C).
static dit_status export_latents(const dit_model *m, const dit_job *job, const dit_array *latents, dit_array *out,
                                 dit_error *error)
{
    (void)m;
    const int64_t C = job->channels, H = job->height, W = job->width;
    const float *from = latents->data;
    if (dit_array_alloc(out, DIT_F32, DIT_SHAPE(job->count, job->shift_tokens, PACK * PACK * C), error))
        return error->status;
    float *to = out->data;
    for (int64_t b = 0; b < job->count; b++)
        for (int64_t t = 0; t < job->shift_tokens; t++)
            for (int64_t c = 0; c < C; c++)
                for (int64_t i = 0; i < PACK * PACK; i++) {
                    int64_t y = t / (W / PACK) * PACK + i / PACK, x = t % (W / PACK) * PACK + i % PACK;
                    *to++ = from[((b * C + c) * H + y) * W + x];
                }
    return DIT_OK;
}

static const dit_part_kind parts[] = {
    {"transformer", (const char *const[]){"FluxTransformer2DModel", NULL}, false},
    {"text_encoder", (const char *const[]){"CLIPTextModel", NULL}, false},
    {"text_encoder_2", (const char *const[]){"T5EncoderModel", NULL}, false},
    {"vae", (const char *const[]){"AutoencoderKL", "AutoencoderTiny", NULL}, false},
    {0},
};

const dit_pipeline_class dit_pipeline_class_flux = {
    .name = "FluxPipeline",
    .older_names = (const char *const[]){"FluxImg2ImgPipeline", "FluxInpaintPipeline", NULL},
    .parts = parts,
    .weighs_prompts = true,
    .true_cfg = true,
    .takes_transformer = takes_latents,
    .open = open,
    .start = start,
    .encode = encode,
    .describe = describe,
    .answer = answer,
    .time = time_of,
    .export_latents = export_latents,
};

// Kontext
// ------------------------------------------------------------------------------------------------------------------------

// Widths and heights of about a megapixel that it was trained on (diffusers, PREFERRED_KONTEXT_RESOLUTIONS).
static const short trained_sizes[][2] = {{672, 1568}, {688, 1504}, {720, 1456},  {752, 1392}, {800, 1328}, {832, 1248},
                                         {880, 1184}, {944, 1104}, {1024, 1024}, {1104, 944}, {1184, 880}, {1248, 832},
                                         {1328, 800}, {1392, 752}, {1456, 720},  {1504, 688}, {1568, 672}};

// The request's shape at about a megapixel, whatever its size.
static dit_status start_kontext(dit_model *m, dit_job *job, dit_error *error)
{
    const dit_request *r = job->request;
    double side = 128.0 * dit_model_pixels_per_latent(m, error), area = 1024 * 1024;
    double aspect = (r->width ? r->width : side) / (r->height ? r->height : side);
    if (r->reference_count > 1)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--image: Kontext takes one picture");
    dit_request sized = *r;
    sized.width = (int)nearbyint(sqrt(area * aspect));
    sized.height = (int)nearbyint(sqrt(area / aspect));
    job->request = &sized;
    dit_status status = start_sized(m, job, sized.height, sized.width, 28, 3.5, error);
    job->request = r;
    return status;
}

// The picture at the trained size of the nearest shape, in pixels (1, 3, H, W).
static dit_status reference_pixels(dit_model *m, const dit_image *picture, dit_array *pixels, dit_error *error)
{
    int multiple = PACK * dit_model_pixels_per_latent(m, error), best = 0;
    // The public pipeline takes the shape after cutting both sides to whole packs.
    int across = picture->width / multiple * multiple, down = picture->height / multiple * multiple;
    double aspect = across && down ? (double)across / down : (double)picture->width / picture->height;
    double nearest = INFINITY;
    dit_image copy = {0};
    for (int i = 0; i < (int)(sizeof trained_sizes / sizeof *trained_sizes); i++) {
        double distance = fabs(aspect - (double)trained_sizes[i][0] / trained_sizes[i][1]);
        if (distance < nearest) {
            nearest = distance;
            best = i;
        }
    }
    int width = trained_sizes[best][0] / multiple * multiple, height = trained_sizes[best][1] / multiple * multiple;
    if (!error->status && !dit_image_alloc(&copy, picture->width, picture->height, picture->channels, error)) {
        memcpy(copy.pixels, picture->pixels, (size_t)copy.width * (size_t)copy.height * (size_t)copy.channels);
        if (!dit_image_convert(&copy, 3, error) && !dit_image_resize(&copy, width, height, DIT_FILTER_LANCZOS, error) &&
            !dit_array_alloc(pixels, DIT_F32, DIT_SHAPE(1, 3, height, width), error))
            dit_image_to_planes(&copy, pixels->data);
    }
    dit_image_free(&copy);
    return error->status;
}

static dit_status encode_kontext(dit_model *m, const dit_job *job, dit_generator *generator, dit_conditions conditions,
                                 const dit_watch *watch, dit_error *error)
{
    dit_array pixels = {0}, latents = {0};
    if (!job->request->reference_count)
        return encode(m, job, generator, conditions, watch, error);
    if (!reference_pixels(m, &job->request->references[0], &pixels, error) &&
        !dit_encode_pixels(m, &pixels, NULL, watch, &latents, error) &&
        !encode_with(m, job, latents.shape.dim[2] / PACK, latents.shape.dim[3] / PACK, &conditions[0], watch, error))
        dit_conditions_rows(job, &latents, &conditions[0], "reference", error);
    free(pixels.data);
    free(latents.data);
    return error->status;
}

const dit_pipeline_class dit_pipeline_class_flux_kontext = {
    .name = "FluxKontextPipeline",
    .parts = parts,
    .weighs_prompts = true,
    .true_cfg = true,
    .takes_references = true,
    .takes_transformer = takes_latents,
    .open = open,
    .start = start_kontext,
    .encode = encode_kontext,
    .describe = describe,
    .answer = answer,
    .time = time_of,
    .export_latents = export_latents,
};

// Fill
// ------------------------------------------------------------------------------------------------------------------------

// The job's own request: without the mask, which is no inpainting by the sampler here, but an argument of the network.
struct fill {
    dit_request request;
    const dit_image *mask;
};

// Latents, a masked picture's latents and the mask in, latents out.
static bool takes_mask(dit_json config)
{
    int64_t out = integer(config, "out_channels");
    return out > 0 && integer(config, "in_channels") > 2 * out;
}

static dit_status open_fill(dit_model *m, dit_error *error)
{
    const dit_flux_config *c = config_of(m);
    int pixels = dit_model_pixels_per_latent(m, error), mask = PACK * PACK * pixels * pixels;
    if (!error->status && (c->out_channels % (PACK * PACK) || c->in_channels != 2 * c->out_channels + mask))
        return dit_fail(error, DIT_UNSUPPORTED,
                        "%s/transformer: takes %d features and gives %d; %s takes a network of twice as many and %d of "
                        "the mask",
                        m->folder, c->in_channels, c->out_channels, m->class->name, mask);
    return error->status;
}

static dit_status start_fill(dit_model *m, dit_job *job, dit_error *error)
{
    int side = 128 * dit_model_pixels_per_latent(m, error);
    const dit_request *r = job->request;
    if (!r->init_image || !r->mask)
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "--mask: Fill draws what is white in it anew in --init-image; give both");
    struct fill *fill = malloc(sizeof *fill);
    if (!fill)
        return dit_fail(error, DIT_NO_MEMORY, "--mask: no memory for it");
    *fill = (struct fill){*r, r->mask};
    fill->request.mask = NULL;
    job->private = fill;
    job->request = &fill->request;
    return start_sized(m, job, side, side, 50, 30, error);
}

// The mask as features of the latents' grid, 1 where the picture is drawn anew: (1, P * P, H, W) for P x P pixels a
// latent; and the picture (1, 3, H P, W P) made grey there.
static dit_status read_mask(const dit_job *job, dit_array *pixels, dit_array *mask, dit_error *error)
{
    const struct fill *fill = job->private;
    const int64_t height = job->picture_height, width = job->picture_width, P = height / job->height;
    dit_image picture = {0};
    if (dit_array_alloc(mask, DIT_F32, DIT_SHAPE(1, P * P, job->height, job->width), error) ||
        dit_fit_picture(fill->mask, job, 1, &picture, error))
        goto done;
    float *plane = pixels->data, *to = mask->data;
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            bool anew = picture.pixels[y * width + x] >= 128;
            to[((y % P * P + x % P) * job->height + y / P) * job->width + x / P] = anew;
            for (int64_t c = 0; c < 3 && anew; c++)
                plane[(c * height + y) * width + x] = 0;
        }
done:
    dit_image_free(&picture);
    return error->status;
}

// Leaves out what the public pipeline draws before it encodes the masked picture: for the start picture's latents, and
// the noise.
static dit_status skip_draws(const dit_job *job, dit_generator *generator, dit_error *error)
{
    size_t one = (size_t)(job->channels * job->height * job->width);
    const size_t count = (size_t)job->request->count; // whatever part of them this job is for
    float *drawn = malloc(count * one * sizeof *drawn);
    if (!drawn)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for %zu pictures", count);
    dit_randn(generator, drawn, one);
    dit_randn(generator, drawn, count * one);
    free(drawn);
    return DIT_OK;
}

static dit_status encode_fill(dit_model *m, const dit_job *job, dit_generator *generator, dit_conditions conditions,
                              const dit_watch *watch, dit_error *error)
{
    dit_generator later = *generator;
    dit_image picture = {0};
    dit_array pixels = {0}, mask = {0}, latents = {0};
    const dit_shape shape = DIT_SHAPE(1, 3, job->picture_height, job->picture_width);
    if (encode(m, job, generator, conditions, watch, error) ||
        dit_fit_picture(job->request->init_image, job, 3, &picture, error) ||
        dit_array_alloc(&pixels, DIT_F32, shape, error))
        goto done;
    dit_image_to_planes(&picture, pixels.data);
    if (!read_mask(job, &pixels, &mask, error) && !skip_draws(job, &later, error) &&
        !dit_encode_pixels(m, &pixels, &later, watch, &latents, error) &&
        !dit_conditions_rows(job, &latents, &conditions[0], "masked", error))
        dit_conditions_rows(job, &mask, &conditions[0], "mask", error);
done:
    dit_image_free(&picture);
    free(pixels.data);
    free(mask.data);
    free(latents.data);
    return error->status;
}

static void describe_fill(const dit_model *m, dit_graph *g, const dit_job *job, dit_tensor latents, dit_tensor time,
                          dit_named_tensors *in)
{
    (void)m, (void)job;
    const dit_tensor parts_of_token[] = {pack(g, latents), pack(g, dit_named_find(in, "masked")),
                                         pack(g, dit_named_find(in, "mask"))};
    dit_named_add(in, "hidden_states", dit_concat(g, parts_of_token, 3, 2));
    dit_named_add(in, "timestep", time);
}

static const dit_part_kind fill_parts[] = {
    {"transformer", (const char *const[]){"FluxTransformer2DModel", NULL}, false},
    {"text_encoder", (const char *const[]){"CLIPTextModel", NULL}, false},
    {"text_encoder_2", (const char *const[]){"T5EncoderModel", NULL}, false},
    {"vae", (const char *const[]){"AutoencoderKL", NULL}, false},
    {0},
};

const dit_pipeline_class dit_pipeline_class_flux_fill = {
    .name = "FluxFillPipeline",
    .parts = fill_parts,
    .weighs_prompts = true,
    .strength = 1,
    .takes_transformer = takes_mask,
    .open = open_fill,
    .start = start_fill,
    .encode = encode_fill,
    .describe = describe_fill,
    .answer = answer,
    .time = time_of,
    .export_latents = export_latents,
};
