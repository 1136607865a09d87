// pipelines/start_picture.h: image to image and inpainting: the state begins as a picture with noise, and may keep
// parts of it.
//
// The picture is resized to the asked size and encoded; with strength s the last floor-rounded share s of the calls
// draw. With a mask (white: drawn anew) the black part is put back after every call, at the noise level of the next.
// As the public image-to-image and inpainting pipelines of SD3 and Flux have it.
#ifndef DIT_PIPELINES_START_PICTURE_H
#define DIT_PIPELINES_START_PICTURE_H

#include "pipelines/pipeline.h"

// A copy of a picture resized to the job's and converted to `channels`; the caller releases it, also after a failure.
dit_status dit_fit_picture(const dit_image *from, const dit_job *job, int channels, dit_image *to, dit_error *error);

typedef struct dit_start_picture {
    float *latents; // (count, channels, height, width), clean
    float *noise;   // with a mask: the noise it started from
    float *mask;    // (height, width): 1 where the picture is drawn anew; NULL: everywhere
    int64_t count, channels, inner;
} dit_start_picture;

// The call of the sampler that begins, from the job's strength. 0 without a start picture.
int dit_start_picture_first(const dit_job *job, const dit_sampler *sampler);
// Encodes the job's start picture, drawing from `generator` as the public pipelines do; nothing without one.
dit_status dit_start_picture_open(dit_start_picture *start, dit_model *model, const dit_job *job,
                                  dit_generator *generator, const dit_watch *watch, dit_error *error);
// Turns unit noise (count, channels, height, width) into the first state, in place; `from_noise`: it is that already.
dit_status dit_start_picture_begin(dit_start_picture *start, const dit_sampler *sampler, bool from_noise, float *state,
                                   dit_error *error);
// After a call: what the mask keeps is put back at the noise level of the next call.
void dit_start_picture_keep(const dit_start_picture *start, const dit_sampler *sampler, float *state);
void dit_start_picture_free(dit_start_picture *start);

#endif
