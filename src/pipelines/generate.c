// pipelines/generate.c: the public calls: a request in, pictures out.
#include "media/image.h"
#include "pipelines/pipeline.h"
#include <stdlib.h>
#include <string.h>

dit_request dit_request_default(void)
{
    return (dit_request){.class_label = -1, .guidance_scale = -1, .count = 1};
}

static dit_status check_request(const dit_request *r, dit_error *error)
{
    if (r->count < 1)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--num: %d pictures; ask for one at least", r->count);
    if (r->steps < 0)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--steps: %d steps; ask for one at least", r->steps);
    if (r->width < 0 || r->height < 0 || r->width > DIT_IMAGE_LONGEST_SIDE || r->height > DIT_IMAGE_LONGEST_SIDE)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: %d pixels; a side has 1 to %d",
                        r->width < 0 || r->width > DIT_IMAGE_LONGEST_SIDE ? "--width" : "--height",
                        r->width < 0 || r->width > DIT_IMAGE_LONGEST_SIDE ? r->width : r->height,
                        DIT_IMAGE_LONGEST_SIDE);
    return DIT_OK;
}

void dit_job_choose(const dit_model *m, dit_job *job, int steps, double guidance_scale)
{
    const dit_request *r = job->request;
    job->steps = r->steps ? r->steps : m->default_steps ? m->default_steps : steps;
    job->guidance_scale = r->guidance_scale >= 0           ? r->guidance_scale
                          : m->default_guidance_scale >= 0 ? m->default_guidance_scale
                                                           : guidance_scale;
    job->guided = job->guidance_scale > 1;
}

dit_status dit_job_start(const dit_model *model, const dit_request *request, dit_job *job, dit_error *error)
{
    *job = (dit_job){.request = request, .count = request->count};
    if (check_request(request, error) || model->class->start(model, job, error))
        return error->status;
    if ((request->width && request->width != job->width) || (request->height && request->height != job->height))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: this model draws %lldx%lld pixels",
                        request->width && request->width != job->width ? "--width" : "--height", (long long)job->width,
                        (long long)job->height);
    job->rows = job->guided ? 2 * (int64_t)job->count : job->count;
    return DIT_OK;
}

// States are pixels in [-1, 1] where the model has no autoencoder.
static dit_status decode(const dit_array *state, dit_image *images, dit_error *error)
{
    int64_t count = state->shape.dim[0], C = state->shape.dim[1], H = state->shape.dim[2], W = state->shape.dim[3];
    if (C != 1 && C != 3 && C != 4)
        return dit_fail(error, DIT_UNSUPPORTED,
                        "states of %lld channels need an autoencoder, which this model lacks; "
                        "--latents writes them as they are",
                        (long long)C);
    for (int64_t b = 0; b < count; b++) {
        if (dit_image_alloc(&images[b], (int)W, (int)H, (int)C, error))
            return error->status;
        dit_image_from_planes(&images[b], (const float *)state->data + b * C * H * W);
    }
    return DIT_OK;
}

dit_status dit_generate_to(dit_model *model, const dit_request *request, const dit_watch *watch, dit_image *images,
                           const char *latents, dit_error *error)
{
    dit_job job;
    dit_array state = {0};
    for (int i = 0; i < request->count; i++)
        images[i] = (dit_image){0};
    if (!dit_job_start(model, request, &job, error) && !dit_draw_states(model, &job, watch, &state, error)) {
        const dit_safetensors_item item = {"latents", DIT_F32, state.shape, state.data};
        if (!latents || !dit_safetensors_write(latents, &item, 1, NULL, 0, NULL, NULL, error))
            decode(&state, images, error);
    }
    free(state.data);
    for (int i = 0; i < request->count && error->status; i++)
        dit_image_free(&images[i]);
    return error->status;
}

dit_status dit_generate(dit_model *model, const dit_request *request, const dit_watch *watch, dit_image *images,
                        dit_error *error)
{
    dit_error own = {0};
    return dit_generate_to(model, request, watch, images, NULL, error ? error : &own);
}
