// pipelines/job.c: requests with a family's defaults filled in.
#include "media/image.h"
#include "pipelines/pipeline.h"
#include <stdlib.h>

dit_request dit_request_default(void)
{
    return (dit_request){.class_label = -1,
                         .guidance_scale = -1,
                         .true_cfg_scale = -1,
                         .cfg_normalization = -1,
                         .cfg_truncation = -1,
                         .guidance_stop = 1,
                         .skip_layer_scale = 2.8,
                         .skip_layer_start = 0.01,
                         .skip_layer_stop = 0.2,
                         .count = 1,
                         .strength = -1};
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
    if (r->mask && !r->init_image)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--mask: says where --init-image is drawn anew; give both");
    if (r->strength > 1)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--strength: %g; it is 0 to 1", r->strength);
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

static int64_t down_to(int64_t pixels, int multiple)
{
    return pixels / multiple > 0 ? pixels / multiple * multiple : multiple;
}

dit_status dit_job_size(dit_model *m, dit_job *job, int height, int width, int multiple, dit_error *error)
{
    int pixels = dit_model_pixels_per_latent(m, error);
    if (error->status)
        return error->status;
    job->picture_height = down_to(job->request->height ? job->request->height : height, multiple);
    job->picture_width = down_to(job->request->width ? job->request->width : width, multiple);
    if ((double)job->picture_height * (double)job->picture_width > DIT_IMAGE_MOST_PIXELS)
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "--width: %lldx%lld pixels are more than the %d that a picture may have",
                        (long long)job->picture_width, (long long)job->picture_height, DIT_IMAGE_MOST_PIXELS);
    job->output_height = job->picture_height;
    job->output_width = job->picture_width;
    job->height = job->picture_height / pixels;
    job->width = job->picture_width / pixels;
    return DIT_OK;
}

dit_status dit_job_linear_sigmas(dit_job *job, dit_error *error)
{
    double *sigmas = malloc((size_t)job->steps * sizeof *sigmas), last = 1.0 / job->steps;
    if (!sigmas)
        return dit_fail(error, DIT_NO_MEMORY, "--steps: no memory for %d steps", job->steps);
    for (int i = 0; i < job->steps; i++)
        sigmas[i] = 1 + i * ((last - 1) / (job->steps > 1 ? job->steps - 1 : 1));
    if (job->steps > 1)
        sigmas[job->steps - 1] = last;
    job->sampler_arguments.sigmas = sigmas;
    return DIT_OK;
}

// A family whose size is fixed sets the latents' alone.
static dit_status complete_sizes(dit_model *m, dit_job *job, dit_error *error)
{
    const dit_request *r = job->request;
    if (job->output_height)
        return DIT_OK;
    int pixels = dit_model_pixels_per_latent(m, error);
    job->picture_height = job->output_height = job->height * pixels;
    job->picture_width = job->output_width = job->width * pixels;
    if (!error->status &&
        ((r->width && r->width != job->output_width) || (r->height && r->height != job->output_height)))
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: this model draws %lldx%lld pixels",
                        r->width && r->width != job->output_width ? "--width" : "--height",
                        (long long)job->output_width, (long long)job->output_height);
    return error->status;
}

static dit_status choose_guidance(const dit_model *m, dit_job *job, dit_error *error)
{
    const dit_request *r = job->request;
    dit_guidance_kind kind = DIT_GUIDANCE_PLAIN;
    if (r->guidance && !dit_guidance_kind_from_name(r->guidance, &kind))
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "--guidance: %.40s is no kind of guidance; there are cfg, apg, cfg-zero", r->guidance);
    if (m->class->guide && (r->guidance || r->guidance_rescale != 0))
        return dit_fail(error, DIT_BAD_ARGUMENT, "--guidance: this model guides in a way of its own");
    if (!(r->guidance_start >= 0 && r->guidance_start <= r->guidance_stop && r->guidance_stop <= 1))
        return dit_fail(error, DIT_BAD_ARGUMENT, "--guidance-start: %g to %g is no part of 0 to 1", r->guidance_start,
                        r->guidance_stop);
    job->guidance = dit_guidance_of(kind, job->true_cfg_scale > 0 ? job->true_cfg_scale : job->guidance_scale);
    job->guidance.rescale = r->guidance_rescale;
    job->guidance.start = r->guidance_start;
    job->guidance.stop = r->guidance_stop;
    return DIT_OK;
}

// What only some public pipelines have: refused elsewhere, so that nothing is asked for in vain.
static dit_status choose_own_guidance(const dit_model *m, dit_job *job, dit_error *error)
{
    const dit_request *r = job->request;
    const char *flag = r->cfg_normalization >= 0 ? "--cfg-normalization" : "--cfg-truncation";
    if (r->true_cfg_scale >= 0 && !m->class->true_cfg)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--true-cfg-scale: %s has --guidance-scale for that, or no guidance",
                        m->class->name);
    if (r->true_cfg_scale > 1 && !r->negative_prompt)
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "--true-cfg-scale: guides away from --negative-prompt; give one (or "
                        "\"\")");
    if ((r->cfg_normalization >= 0 || r->cfg_truncation >= 0) && !m->class->guides_at)
        return dit_fail(error, DIT_BAD_ARGUMENT, "%s: %s has no such guidance", flag, m->class->name);
    job->true_cfg_scale = r->true_cfg_scale;
    job->cfg_normalization = r->cfg_normalization;
    job->cfg_truncation = r->cfg_truncation >= 0 ? r->cfg_truncation : 1;
    return DIT_OK;
}

// Layers that are left out, of families whose network can do so.
static dit_status choose_skipped(dit_model *m, dit_job *job, dit_error *error)
{
    const dit_request *r = job->request;
    if (r->skip_layer_count < 1)
        return DIT_OK;
    int layers = (int)dit_model_part_number(m, m->parts[0].kind->name, "num_layers", 0, error);
    if (!m->class->skips_layers)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--skip-layers: %s has no such guidance", m->class->name);
    if (!job->guided)
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "--skip-layers: acts beside --guidance-scale, which must be above 1 and is %g",
                        job->guidance_scale);
    for (int i = 0; i < r->skip_layer_count; i++)
        if (r->skip_layers[i] < 0 || r->skip_layers[i] >= layers)
            return dit_fail(error, DIT_BAD_ARGUMENT, "--skip-layers: there is no layer %d; the model has 0 to %d",
                            r->skip_layers[i], layers - 1);
    if (!(r->skip_layer_start >= 0 && r->skip_layer_start <= r->skip_layer_stop && r->skip_layer_stop <= 1))
        return dit_fail(error, DIT_BAD_ARGUMENT, "--skip-layers-start: %g to %g is no part of 0 to 1",
                        r->skip_layer_start, r->skip_layer_stop);
    job->guidance.skip_scale = r->skip_layer_scale;
    job->guidance.skip_start = r->skip_layer_start;
    job->guidance.skip_stop = r->skip_layer_stop;
    return error->status;
}

static dit_status choose_weighting(const dit_model *m, dit_job *job, dit_error *error)
{
    const char *name = job->request->prompt_weighting;
    if (name && !dit_prompt_weighting_from_name(name, &job->weighting))
        return dit_fail(error, DIT_BAD_ARGUMENT, "--prompt-weighting: %.40s is none; there are comfyui and a1111",
                        name);
    if (name && !m->class->weighs_prompts)
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "--prompt-weighting: %s takes no weights; without it, brackets are text as any other",
                        m->class->name);
    return DIT_OK;
}

dit_status dit_job_start(dit_model *model, const dit_request *request, dit_job *job, dit_error *error)
{
    *job = (dit_job){.request = request, .count = request->count};
    job->strength = request->strength >= 0 ? request->strength : model->class->strength ? model->class->strength : 0.6;
    if (request->reference_count && !model->class->takes_references)
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "--image: this model takes no pictures beside the prompt; "
                        "--init-image starts from one");
    if (request->class_label >= 0 && !model->class->draws_classes)
        return dit_fail(error, DIT_BAD_ARGUMENT, "--class: this model draws from text; give --prompt");
    if (!dit_model_part(model, model->parts[0].kind->name, error)) // families read its configuration
        return error->status;
    if (check_request(request, error) || choose_weighting(model, job, error) ||
        choose_own_guidance(model, job, error) || model->class->start(model, job, error) ||
        complete_sizes(model, job, error) || choose_guidance(model, job, error) || choose_skipped(model, job, error))
        return error->status;
    job->rows = job->guided && !job->apart ? 2 * (int64_t)job->count : job->count;
    return DIT_OK;
}

void dit_job_end(dit_job *job)
{
    free(job->private);
    free((void *)job->sampler_arguments.sigmas);
    *job = (dit_job){0};
}
