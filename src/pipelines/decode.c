// pipelines/decode.c: latents to pictures, and pictures to latents.
#include "base/memory.h"
#include "media/image.h"
#include "models/autoencoder.h"
#include "pipelines/survey.h"
#include <math.h>
#include <stdlib.h>

static dit_status facts_of(dit_model *m, dit_autoencoder_facts *facts, const dit_component **vae, dit_error *error)
{
    *vae = dit_model_part(m, "vae", error);
    if (*vae && !dit_autoencoder_facts_of(*vae, facts))
        dit_fail(error, DIT_BAD_FILE, "%s/vae: a %s is no autoencoder", m->folder, (*vae)->class->name);
    return error->status;
}

int dit_model_pixels_per_latent(dit_model *m, dit_error *error)
{
    dit_autoencoder_facts facts = {.ratio = 1};
    const dit_component *vae;
    if (dit_model_has_part(m, "vae"))
        facts_of(m, &facts, &vae, error);
    return facts.ratio;
}

// Latents as the decoder takes them: scaling undone, and `shift`.
static dit_status unscale(const dit_autoencoder_facts *facts, float shift, const dit_array *latents, dit_array *out,
                          dit_error *error)
{
    if (dit_array_alloc(out, DIT_F32, latents->shape, error))
        return error->status;
    const float *from = latents->data;
    float *to = out->data, scale = (float)facts->scaling_factor;
    for (int64_t i = 0; i < dit_shape_count(&latents->shape); i++)
        to[i] = from[i] / scale + shift;
    return DIT_OK;
}

// What an autoencoder's values may take beside its weights and `results` bytes; 0: no bound.
static size_t memory_for(const dit_component *vae, int64_t results)
{
    size_t left = dit_memory_left(vae->memory), taken = (size_t)results;
    for (int i = 0; i < dit_weights_count(vae->weights); i++)
        taken += dit_array_bytes(&dit_weights_at(vae->weights, i)->array);
    return !left ? 0 : left > taken ? left - taken : 1;
}

// `shifted`: the autoencoder's shift is undone too.
static dit_status decode(dit_model *m, const dit_array *latents, bool shifted, dit_autoencoder_options options,
                         dit_array *pixels, dit_error *error)
{
    dit_autoencoder_facts facts;
    const dit_component *vae;
    dit_array unscaled = {0};
    if (facts_of(m, &facts, &vae, error))
        return error->status;
    options.slice = true;
    if (!unscale(&facts, shifted ? (float)facts.shift_factor : 0, latents, &unscaled, error)) {
        const dit_shape *s = &latents->shape; // three floats a pixel
        options.memory = memory_for(vae, s->dim[0] * s->dim[2] * s->dim[3] * facts.ratio * facts.ratio * 12);
        dit_autoencoder_decode(vae, &unscaled, &options, pixels, error);
    }
    free(unscaled.data);
    return error->status;
}

dit_status dit_decode_pixels(dit_model *m, const dit_array *latents, dit_array *pixels, dit_error *error)
{
    return decode(m, latents, true, (dit_autoencoder_options){0}, pixels, error);
}

// A plane (H, W) enlarged or reduced until it covers (height, width), whose middle it becomes: torch's bilinear
// interpolation, which averages no more than four pixels, on values that are not clamped yet.
static void cover(const float *from, int64_t H, int64_t W, float *to, int64_t height, int64_t width)
{
    double ratio = fmax((double)height / (double)H, (double)width / (double)W);
    int64_t rows = (int64_t)((double)H * ratio), columns = (int64_t)((double)W * ratio);
    float y_step = (float)H / (float)rows, x_step = (float)W / (float)columns;
    for (int64_t i = 0; i < height; i++) {
        float y = fmaxf(y_step * ((float)(i + (rows - height) / 2) + 0.5f) - 0.5f, 0);
        int64_t top = (int64_t)y < H - 1 ? (int64_t)y : H - 1, bottom = top < H - 1 ? top + 1 : top;
        for (int64_t j = 0; j < width; j++) {
            float x = fmaxf(x_step * ((float)(j + (columns - width) / 2) + 0.5f) - 0.5f, 0);
            int64_t left = (int64_t)x < W - 1 ? (int64_t)x : W - 1, right = left < W - 1 ? left + 1 : left;
            float down = y - (float)top, across = x - (float)left;
            float upper = from[top * W + left] * (1 - across) + from[top * W + right] * across;
            float lower = from[bottom * W + left] * (1 - across) + from[bottom * W + right] * across;
            to[i * width + j] = upper * (1 - down) + lower * down;
        }
    }
}

// Pixels (1, C, H, W) in [-1, 1] as a picture of the output size.
static dit_status to_image(const dit_job *job, const dit_array *pixels, dit_image *image, dit_error *error)
{
    const int64_t C = pixels->shape.dim[1], H = pixels->shape.dim[2], W = pixels->shape.dim[3];
    const int64_t height = job->output_height, width = job->output_width;
    const bool covers = height != H || width != W;
    if (C != 1 && C != 3 && C != 4)
        return dit_fail(error, DIT_UNSUPPORTED,
                        "states of %lld channels need an autoencoder, which this model lacks; "
                        "--latents writes them as they are",
                        (long long)C);
    float *covered = covers ? malloc((size_t)(C * height * width) * sizeof *covered) : NULL;
    if (covers && !covered)
        return dit_fail(error, DIT_NO_MEMORY, "no memory for a picture of %lldx%lld pixels", (long long)width,
                        (long long)height);
    if (!dit_image_alloc(image, (int)width, (int)height, (int)C, error)) {
        for (int64_t c = 0; c < C && covers; c++)
            cover((const float *)pixels->data + c * H * W, H, W, covered + c * height * width, height, width);
        dit_image_from_planes(image, covers ? covered : pixels->data);
    }
    free(covered);
    return error->status;
}

// The pictures of a job, of which those before `first` are there.
struct pictures {
    const dit_model *model;
    const dit_job *job;
    dit_image *images;
    int first;
};

static dit_status take(void *context, int64_t b, const dit_array *pixels, dit_error *error)
{
    const struct pictures *p = context;
    const dit_picture_sink *sink = &p->job->sink;
    const int index = p->first + (int)b;
    if (dit_model_has_part(p->model, "vae") && dit_model_check_numbers(p->model, "vae", pixels, error))
        return error->status;
    if (!to_image(p->job, pixels, &p->images[index], error) && sink->take)
        sink->take(sink->context, index, &p->images[index], error);
    return error->status;
}

dit_status dit_decode_latents(dit_model *m, const dit_job *job, const dit_array *latents, const dit_watch *watch,
                              dit_image *images, dit_error *error)
{
    // Pixels are eight times as large as the pictures' bytes and the decoder's results: a few pictures at a time.
    const int64_t most = (int64_t)1 << 24, picture = 3 * job->picture_height * job->picture_width;
    const bool decodes = dit_model_has_part(m, "vae"), masked = job->request->mask != NULL;
    const int64_t together = decodes && picture < most ? most / picture : 1;
    const int64_t count = latents->shape.dim[0], one = dit_shape_count(&latents->shape) / count;
    struct pictures p = {m, job, images, 0};
    const dit_autoencoder_options options = {.watch = watch, .whole = take, .context = &p};
    for (; p.first < count && !error->status; p.first += (int)together) {
        dit_array some = *latents, pixels = {0};
        some.shape.dim[0] = count - p.first < together ? count - p.first : together;
        some.data = (float *)latents->data + p.first * one;
        if (decodes)
            decode(m, &some, !(masked && m->class->inpaints_shifted), options, &pixels, error);
        else
            take(&p, 0, &some, error);
        free(pixels.data);
    }
    if (decodes)
        dit_model_part_done(m, "vae");
    return error->status;
}

// mean + exp(logvar / 2) * noise, with logvar clamped to [-30, 20] as the public distribution has it; then scaled.
static void draw(const dit_autoencoder_facts *facts, float *mean, const float *logvar, const float *noise, int64_t n)
{
    const float scale = (float)facts->scaling_factor, shift = (float)facts->shift_factor;
    for (int64_t i = 0; i < n; i++) {
        if (logvar && noise)
            mean[i] += expf(0.5f * fminf(fmaxf(logvar[i], -30), 20)) * noise[i];
        mean[i] = (mean[i] - shift) * scale;
    }
}

dit_status dit_encode_pixels(dit_model *m, const dit_array *pixels, dit_generator *generator, const dit_watch *watch,
                             dit_array *latents, dit_error *error)
{
    dit_autoencoder_facts facts;
    const dit_component *vae;
    dit_array logvar = {0};
    float *noise = NULL;
    if (!dit_model_has_part(m, "vae")) { // pixels are the state itself
        if (!dit_array_alloc(latents, DIT_F32, pixels->shape, error))
            for (int64_t i = 0; i < dit_shape_count(&pixels->shape); i++)
                ((float *)latents->data)[i] = ((const float *)pixels->data)[i];
        return error->status;
    }
    if (m->survey) {
        if (!facts_of(m, &facts, &vae, error))
            dit_survey_picture(m, vae, pixels, &facts, latents, error);
        return error->status;
    }
    if (!facts_of(m, &facts, &vae, error) &&
        !dit_autoencoder_encode(vae, pixels, &(dit_autoencoder_options){.slice = true, .watch = watch}, latents,
                                &logvar, error)) {
        int64_t n = dit_shape_count(&latents->shape);
        if (generator && logvar.data && (noise = malloc((size_t)n * sizeof *noise)))
            dit_randn(generator, noise, (size_t)n);
        if (generator && logvar.data && !noise)
            dit_fail(error, DIT_NO_MEMORY, "no memory to draw a picture's latents");
        else
            draw(&facts, latents->data, logvar.data, noise, n);
        if (!error->status)
            dit_model_check_numbers(m, "vae", latents, error);
    }
    free(noise);
    free(logvar.data);
    dit_model_part_done(m, "vae");
    return error->status;
}
