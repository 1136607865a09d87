// pipelines/preview.h: what a picture will be, while it is drawn, without the autoencoder: by a small one
// (AutoencoderTiny) that the request names, or else by a linear map from the channels of a latent to a colour, a pixel
// for each latent. The map is fitted, before the steps begin, to what the model's own decoder makes of one small random
// latent, so that no table of maps is needed.
#ifndef DIT_PIPELINES_PREVIEW_H
#define DIT_PIPELINES_PREVIEW_H

#include "pipelines/pipeline.h"

typedef struct dit_preview { // zero-initialise; freed with dit_preview_close
    enum {
        DIT_PREVIEW_NONE,
        DIT_PREVIEW_STATE, // the state is pixels, or the model's own decoder is a small one
        DIT_PREVIEW_SMALL,
        DIT_PREVIEW_LINEAR,
    } kind;
    dit_component small;
    float *map; // (3, channels + 1): the colour, -1 to 1, of a latent; the last column is what is added
    const dit_sampler *sampler;
    enum { DIT_SAYS_NOISE, DIT_SAYS_SAMPLE, DIT_SAYS_V, DIT_SAYS_FLOW, DIT_SAYS_OTHER } says; // the network's output
} dit_preview;

// Fails when the decoder that the request names does not open or does not fit; that a map cannot be made leaves the
// kind NONE, and no previews.
dit_status dit_preview_open(dit_preview *preview, dit_model *model, const dit_job *job, const dit_sampler *sampler,
                            dit_error *error);
void dit_preview_close(dit_preview *preview);
// The first picture of `state` (count, C, H, W), before call sampler->next, as it would be if the last output (alike)
// had been right: the clean part, not the noise. What cannot be shown leaves the image empty.
void dit_preview_make(const dit_preview *preview, dit_model *model, const dit_job *job, const float *state,
                      const float *output, dit_image *image);

// x_0 of a state x = clean * x_0 + noise * n, from what the network says of it; n values.
void dit_preview_estimate(int says, float clean, float noise, const float *state, const float *output, float *x0,
                          int64_t n);
// The map (3, C + 1) nearest, in the sense of least squares, to pixels (3, H ratio, W ratio), averaged over ratio x
// ratio, from latents (C, H, W). DIT_NO_MEMORY.
dit_status dit_preview_fit(const float *latents, int64_t channels, int64_t height, int64_t width, const float *pixels,
                           int64_t ratio, float *map, dit_error *error);

#endif
