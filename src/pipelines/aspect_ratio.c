// pipelines/aspect_ratio.c: the shapes that PixArt and SANA were trained on.
// The numbers are those of diffusers' ASPECT_RATIO_*_BIN: heights and widths of about a megapixel, which larger and
// smaller models multiply, by the ratio as it is written there.
#include "pipelines/aspect_ratio.h"
#include "media/image.h"
#include <math.h>

static const struct shape {
    double ratio;
    short height, width;
    bool large_only; // from 2048 pixels on
} shapes[] = {
    {0.25, 512, 2048, false}, {0.26, 512, 1984, true},  {0.27, 512, 1920, true},  {0.28, 512, 1856, false},
    {0.32, 576, 1792, false}, {0.33, 576, 1728, false}, {0.35, 576, 1664, false}, {0.4, 640, 1600, false},
    {0.42, 640, 1536, false}, {0.48, 704, 1472, false}, {0.5, 704, 1408, false},  {0.52, 704, 1344, false},
    {0.57, 768, 1344, false}, {0.6, 768, 1280, false},  {0.68, 832, 1216, false}, {0.72, 832, 1152, false},
    {0.78, 896, 1152, false}, {0.82, 896, 1088, false}, {0.88, 960, 1088, false}, {0.94, 960, 1024, false},
    {1.0, 1024, 1024, false}, {1.07, 1024, 960, false}, {1.13, 1088, 960, false}, {1.21, 1088, 896, false},
    {1.29, 1152, 896, false}, {1.38, 1152, 832, false}, {1.46, 1216, 832, false}, {1.67, 1280, 768, false},
    {1.75, 1344, 768, false}, {2.0, 1408, 704, false},  {2.09, 1472, 704, false}, {2.4, 1536, 640, false},
    {2.5, 1600, 640, false},  {2.89, 1664, 576, true},  {3.0, 1728, 576, false},  {3.11, 1792, 576, true},
    {3.62, 1856, 512, true},  {3.75, 1920, 512, true},  {3.88, 1984, 512, true},  {4.0, 2048, 512, false},
};

static const struct shape *nearest_shape(double ratio, bool large)
{
    const struct shape *best = NULL;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if ((large || !shapes[i].large_only) && (!best || fabs(shapes[i].ratio - ratio) < fabs(best->ratio - ratio)))
            best = &shapes[i];
    return best;
}

dit_status dit_job_size_by_aspect_ratio(dit_model *m, dit_job *job, int side, int height, int width, dit_error *error)
{
    const dit_request *r = job->request;
    int pixels = dit_model_pixels_per_latent(m, error);
    if (error->status)
        return error->status;
    job->output_height = r->height ? r->height : height;
    job->output_width = r->width ? r->width : width;
    const struct shape *s = nearest_shape((double)job->output_height / (double)job->output_width, side >= 2048);
    job->picture_height = (int64_t)s->height * side / 1024;
    job->picture_width = (int64_t)s->width * side / 1024;
    if ((double)job->output_height * (double)job->output_width > DIT_IMAGE_MOST_PIXELS)
        return dit_fail(error, DIT_BAD_ARGUMENT,
                        "--width: %lldx%lld pixels are more than the %d that a picture may have",
                        (long long)job->output_width, (long long)job->output_height, DIT_IMAGE_MOST_PIXELS);
    if (job->picture_height < pixels || job->picture_width < pixels)
        return dit_fail(error, DIT_BAD_FILE, "%s/vae: one latent is %d pixels, more than a picture of this model",
                        m->folder, pixels);
    job->height = job->picture_height / pixels;
    job->width = job->picture_width / pixels;
    return DIT_OK;
}
