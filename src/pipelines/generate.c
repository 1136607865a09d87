// pipelines/generate.c: the public calls: a request in, pictures out.
#include "base/clock.h"
#include "media/image.h"
#include "pipelines/pipeline.h"
#include <stdlib.h>

static dit_status write_latents(const dit_model *m, const dit_job *job, const dit_array *state, const char *path,
                                dit_error *error)
{
    dit_array own = {0};
    if (m->class->export_latents && m->class->export_latents(m, job, state, &own, error))
        return error->status;
    const dit_array *out = own.data ? &own : state;
    const dit_safetensors_item item = {"latents", DIT_F32, out->shape, out->data};
    dit_safetensors_write(path, &item, 1, NULL, 0, NULL, NULL, error);
    free(own.data);
    return error->status;
}

dit_status dit_generate_job(dit_model *model, const dit_job *job, const dit_watch *watch, dit_image *images,
                            const char *latents, dit_error *error)
{
    dit_array state = {0};
    for (int i = 0; i < job->count; i++)
        images[i] = (dit_image){0};
    if (!dit_draw_states(model, job, watch, &state, error) &&
        (!latents || !write_latents(model, job, &state, latents, error))) {
        const double start = dit_seconds_now();
        dit_decode_latents(model, job, &state, watch, images, error);
        model->seconds.decode = dit_seconds_now() - start;
    }
    free(state.data);
    for (int i = 0; i < job->count && error->status; i++)
        dit_image_free(&images[i]);
    return error->status;
}

dit_status dit_generate(dit_model *model, const dit_request *request, const dit_watch *watch, dit_image *images,
                        dit_error *error)
{
    dit_error own = {0};
    dit_error *e = error ? error : &own;
    dit_job job;
    for (int i = 0; i < request->count; i++)
        images[i] = (dit_image){0};
    if (!dit_job_start(model, request, &job, e))
        dit_generate_job(model, &job, watch, images, NULL, e);
    dit_job_end(&job);
    return e->status;
}
