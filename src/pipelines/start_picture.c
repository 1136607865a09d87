// pipelines/start_picture.c: pictures as the start of sampling.
#include "pipelines/start_picture.h"
#include "media/image.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int dit_start_picture_first(const dit_job *job, const dit_sampler *s)
{
    if (!job->request->init_image)
        return 0;
    double drawn = fmin(job->steps * job->strength, job->steps);
    int first = (int)fmax(job->steps - drawn, 0);
    if (first >= job->steps) // of strength 0 one step is left, so that there is something to do
        first = job->steps - 1;
    return s->calls > s->steps && first ? 2 * first : first; // a sampler of second order calls twice a step
}

dit_status dit_fit_picture(const dit_image *from, const dit_job *job, int channels, dit_image *to, dit_error *error)
{
    if (dit_image_alloc(to, from->width, from->height, from->channels, error))
        return error->status;
    memcpy(to->pixels, from->pixels, (size_t)from->width * (size_t)from->height * (size_t)from->channels);
    // Alpha is dropped before the picture is resized, as the public load_image does: it weights no colour.
    if ((to->channels == 4 && dit_image_convert(to, 3, error)) ||
        dit_image_resize(to, (int)job->picture_width, (int)job->picture_height, DIT_FILTER_LANCZOS, error))
        return error->status;
    dit_image_convert(to, channels, error);
    return error->status;
}

static dit_status encode_picture(dit_start_picture *s, dit_model *m, const dit_job *job, dit_generator *generator,
                                 const dit_watch *watch, dit_error *error)
{
    dit_image picture = {0};
    dit_array pixels = {0}, latents = {0};
    const int64_t n = s->channels * s->inner;
    if (!dit_fit_picture(job->request->init_image, job, 3, &picture, error) &&
        !dit_array_alloc(&pixels, DIT_F32, DIT_SHAPE(1, 3, job->picture_height, job->picture_width), error)) {
        dit_image_to_planes(&picture, pixels.data);
        dit_encode_pixels(m, &pixels, generator, watch, &latents, error);
    }
    if (!error->status && dit_shape_count(&latents.shape) != n)
        dit_fail(error, DIT_UNSUPPORTED, "--init-image: the model's encoder and its transformer differ in size");
    for (int64_t i = 0; job->state_scale != 0 && i < n && !error->status; i++)
        ((float *)latents.data)[i] *= (float)job->state_scale;
    for (int64_t b = 0; b < job->count && !error->status; b++)
        memcpy(s->latents + b * n, latents.data, (size_t)n * sizeof *s->latents);
    free(latents.data);
    free(pixels.data);
    dit_image_free(&picture);
    return error->status;
}

// 1 where the mask is at least half white, nearest in the latents' grid.
static dit_status read_mask(dit_start_picture *s, const dit_job *job, dit_error *error)
{
    dit_image picture = {0};
    if (!dit_fit_picture(job->request->mask, job, 1, &picture, error))
        for (int64_t y = 0; y < job->height; y++)
            for (int64_t x = 0; x < job->width; x++) {
                int64_t row = y * picture.height / job->height, column = x * picture.width / job->width;
                s->mask[y * job->width + x] = picture.pixels[row * picture.width + column] >= 128 ? 1 : 0;
            }
    dit_image_free(&picture);
    return error->status;
}

dit_status dit_start_picture_open(dit_start_picture *s, dit_model *m, const dit_job *job, dit_generator *generator,
                                  const dit_watch *watch, dit_error *error)
{
    *s = (dit_start_picture){.count = job->count, .channels = job->channels, .inner = job->height * job->width};
    if (!job->request->init_image)
        return DIT_OK;
    size_t bytes = (size_t)(s->count * s->channels * s->inner) * sizeof *s->latents;
    s->latents = malloc(bytes);
    if (job->request->mask) {
        s->noise = malloc(bytes);
        s->mask = malloc((size_t)s->inner * sizeof *s->mask);
    }
    if (!s->latents || (job->request->mask && (!s->noise || !s->mask)))
        return dit_fail(error, DIT_NO_MEMORY, "--init-image: no memory for %d pictures", job->count);
    if (encode_picture(s, m, job, generator, watch, error))
        return error->status;
    return s->mask ? read_mask(s, job, error) : DIT_OK;
}

dit_status dit_start_picture_begin(dit_start_picture *s, const dit_sampler *sampler, bool from_noise, float *state,
                                   dit_error *error)
{
    int64_t n = s->count * s->channels * s->inner;
    if (!sampler->class->noise_level)
        return dit_fail(error, DIT_UNSUPPORTED, "--init-image: %s cannot start from a picture", sampler->class->name);
    if (s->noise)
        memcpy(s->noise, state, (size_t)n * sizeof *state);
    if (!from_noise)
        dit_sampler_add_noise(sampler, sampler->next, s->latents, state, state, n);
    return DIT_OK;
}

void dit_start_picture_keep(const dit_start_picture *s, const dit_sampler *sampler, float *state)
{
    if (!s->mask)
        return;
    float clean = 1, noise = 0;
    if (sampler->next < sampler->calls)
        sampler->class->noise_level(sampler, sampler->next, &clean, &noise);
    for (int64_t plane = 0; plane < s->count * s->channels; plane++)
        for (int64_t i = 0; i < s->inner; i++) {
            int64_t at = plane * s->inner + i;
            float kept = clean * s->latents[at] + noise * s->noise[at];
            state[at] = (1 - s->mask[i]) * kept + s->mask[i] * state[at];
        }
}

void dit_start_picture_free(dit_start_picture *s)
{
    free(s->latents);
    free(s->noise);
    free(s->mask);
    *s = (dit_start_picture){0};
}
