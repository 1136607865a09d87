// models/autoencoder.h: pictures to latents and back with any of the autoencoder classes, whole or in tiles.
#ifndef DIT_MODELS_AUTOENCODER_H
#define DIT_MODELS_AUTOENCODER_H

#include "dit/dit.h"
#include "models/component.h"

typedef struct dit_autoencoder_options {
    dit_dtype dtype; // what the network computes in: DIT_F32 (0), DIT_BF16, DIT_F16
    int tile;        // side of a tile in pixels of the picture; 0: no tiles, unless `memory` wants them
    double overlap;  // share of a tile that it has in common with the next one; 0: the class's own
    bool slice;      // one sample of the batch at a time
    size_t memory; // bytes for the network's values and the seams between tiles, beside weights, argument and results;
                   // slices, and chooses the largest tile that fits. 0: no bound
    const dit_watch *watch; // may be NULL; told of every tile, and may stop between any two kernels
    // Told of sample b of a decoded batch, (1, out_channels, H, W), as soon as it is whole; what it returns ends the
    // work. NULL: nobody is.
    dit_status (*whole)(void *context, int64_t b, const dit_array *sample, dit_error *error);
    void *context; // of `whole`
} dit_autoencoder_options;

// Whether a component is an autoencoder, and if so what its configuration says.
bool dit_autoencoder_facts_of(const dit_component *component, dit_autoencoder_facts *facts);

// latents: f32 (B, latent_channels, h, w), as the network takes them (scaling and shift undone by the caller) ->
// sample: f32 (B, out_channels, h ratio, w ratio), which the caller frees (free(sample->data)), also after a failure.
// `options` may be NULL. Tiles overlap and are blended as diffusers' `enable_tiling` blends them (blend_v, then
// blend_h), with a tile of `tile` pixels for its tile_sample_min_size and `overlap` for its tile_overlap_factor.
// Fails with DIT_BAD_ARGUMENT (no autoencoder, shape), DIT_NO_MEMORY (also when no tile fits the bound), DIT_CANCELLED.
dit_status dit_autoencoder_decode(const dit_component *component, const dit_array *latents,
                                  const dit_autoencoder_options *options, dit_array *sample, dit_error *error);
// pixels: f32 (B, in_channels, H, W) in -1..1 -> mean and, of classes with a distribution, logvar: f32 (B,
// latent_channels, H / ratio, W / ratio), rounded down. Of classes without one `mean` is the latent, and logvar->data
// is NULL. `logvar` may be NULL. Otherwise as above.
dit_status dit_autoencoder_encode(const dit_component *component, const dit_array *pixels,
                                  const dit_autoencoder_options *options, dit_array *mean, dit_array *logvar,
                                  dit_error *error);

// What the network takes for an argument of that shape at once, without running it: whole, or, `tiled`, in the smallest
// tiles that a bound chooses.
dit_status dit_autoencoder_figures(const dit_component *component, dit_method method, const dit_shape *argument,
                                   bool tiled, dit_plan_figures *figures, dit_error *error);

#endif
