/* dit.h: the public interface of libdit, diffusion transformers in C.
 *
 * The library never exits, never prints and never aborts on input. Every function that can fail returns a dit_status
 * and leaves a message (what, where, what to do) in the dit_error that it was given.
 */
#ifndef DIT_H
#define DIT_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0" */
DIT_API const char *dit_version(void);

/* A picture: 8 bits a channel, sRGB, rows from the top. `pixels` is (height, width, channels) with 1 (grey), 3 (RGB) or
 * 4 (RGB and alpha) channels; whoever received the picture releases it with dit_image_free. */
typedef struct dit_image {
    int width, height, channels;
    uint8_t *pixels;
} dit_image;

/* Releases the pixels and zeroes the picture. NULL and a zeroed picture are fine. */
DIT_API void dit_image_free(dit_image *image);

/* How far a long piece of work has come. */
typedef struct dit_progress {
    const char *phase;        /* "load", "encode", "sample", "decode", "train", ... */
    const char *unit;         /* what is counted: "step", "sample", "byte" */
    uint64_t done, total;     /* in units; total is 0 when it is not known; 0 of 0 only asks whether to stop */
    const char *note;         /* a few words, such as "loss 0.127", or NULL */
    const dit_image *preview; /* the picture so far, when there is one; it belongs to the library */
} dit_progress;

/* Who watches the work: `report` is called from the thread that called the library, at least once a step, and stops the
 * work by returning non-zero; the function that was at work then returns DIT_CANCELLED and leaves nothing half-written.
 */
typedef struct dit_watch {
    int (*report)(void *context, const dit_progress *progress);
    void *context;
} dit_watch;

/* A model: weights (memory-mapped) and what is needed to run them. One model may be used by one thread at a time; it
 * computes with as many threads as dit_set_threads allows. */
typedef struct dit_model dit_model;

/* Where a part of a model lies: a folder or a file of any format that is read, "" to leave an optional part out. Parts
 * are named as in a published folder: "transformer", "vae", "text_encoder", "text_encoder_2", "tokenizer", "scheduler",
 * ... */
typedef struct dit_model_source {
    const char *part, *path;
} dit_model_source;

/* What a model is opened from beside its path. Zero-initialise. Texts stay the caller's. */
typedef struct dit_model_options {
    const dit_model_source *sources; /* they come before what the model's own folder or file holds */
    int source_count;
    const char *base; /* for a single file: a folder with the parts that the file lacks; NULL: the model's folder that
                         it lies in, itself or as a part */
    const char *pipeline; /* as which published class to draw ("FluxKontextPipeline"); NULL: follows from the model */
    const char *variant;  /* of a folder's weights, "fp16" for diffusion_pytorch_model.fp16.safetensors; parts that have
                             none of it are opened as ever. NULL: those without a variant, or the only one there is */
    const char *dtype; /* the transformer computes in "f32", "bf16" or "f16"; text encoders, autoencoder and sampler in
                          f32. NULL: "f32" */
} dit_model_options;

/* Opens the model at `path`: a published folder, or a single file that holds the transformer and perhaps other parts;
 * NULL opens the model that comes with the library. What is missing is DIT_NO_FILE, and named. The caller releases
 * *model with dit_model_close, also after a failed open, which leaves NULL. `options` may be NULL. */
DIT_API dit_status dit_model_open_with(const char *path, const dit_model_options *options, dit_model **model,
                                       dit_error *error);
DIT_API dit_status dit_model_open(const char *path, dit_model **model, dit_error *error);
DIT_API void dit_model_close(dit_model *model);

/* Bounds the memory, in bytes, that the process holds while it works with the model; 0: no bound. Weights that do not
 * fit are read from their files again whenever they are used, ahead of the computation. What cannot be kept within the
 * bound fails with DIT_NO_MEMORY and says what it would need. */
DIT_API void dit_model_set_memory(dit_model *model, size_t bytes);
/* The most memory that the process has held so far, in bytes; 0: the system does not say. */
DIT_API size_t dit_peak_memory(void);

/* What to draw. Start from dit_request_default, which leaves every choice to the model. Texts stay the caller's. */
typedef struct dit_request {
    const char *prompt;           /* UTF-8; NULL: none */
    const char *negative_prompt;  /* what to steer away from; NULL: none */
    const char *prompt_weighting; /* what (word:1.2), [word] and BREAK do: "comfyui", "a1111"; NULL: they are text */
    int class_label;              /* for class-conditional models, from 0; -1: none */
    int width, height;            /* pixels; 0: the model's own */
    int steps;                    /* of the sampler; 0: the model's own */
    /* In place of the sampler that the model's files name: "euler", "euler-ancestral", "heun", "dpm++2m",
     * "dpm++2m-sde", "dpm++3m", "unipc", "ddim", "ddpm", "lcm"; and of its times: "uniform", "karras", "exponential",
     * "beta", "sigmoid". NULL: the model's own. */
    const char *sampler, *schedule;
    double flow_shift;        /* of the times of a flow model: more of them where it is noisy; 0: the model's own */
    double guidance_scale;    /* 1: no guidance; negative: the model's own */
    double true_cfg_scale;    /* of FLUX, whose guidance_scale the network is told: guided by the negative prompt in the
                                 ordinary way as well; 1: not; negative: the model's own */
    double cfg_normalization; /* Z-Image: guided answers are at most so many times as long as unguided ones; Lumina 2:
                                 1: as long; 0: neither; negative: the model's own */
    double cfg_truncation;    /* Z-Image, Lumina 2: guided while the time, 0 to 1, is at most this; negative: always */
    const char *guidance;     /* "cfg", "apg" or "cfg-zero"; NULL: the model's own */
    double guidance_rescale;  /* share of rescaled answers, 0 to 1 */
    double guidance_start;    /* guidance acts from this share of the steps, 0 to 1, */
    double guidance_stop;     /* up to this one */
    const int *skip_layers;   /* skip-layer guidance: blocks of the transformer, from 0, that it leaves out; */
    int skip_layer_count;     /* 0: none */
    double skip_layer_scale;  /* how strongly the picture is driven from what it is without them, */
    double skip_layer_start;  /* after this share of the steps, 0 to 1, */
    double skip_layer_stop;   /* before this one */
    uint64_t seed;            /* of the starting noise; the same seed draws the same pictures */
    int count;                /* how many pictures, 1 or more */
    int preview_every;        /* steps between the previews that the watcher gets; 0: none */
    const char *preview_decoder; /* folder of an AutoencoderTiny for them; NULL: colours by a linear map */
    const dit_image *init_image; /* start picture, resized to the asked size; NULL: noise alone */
    double strength;             /* share of the steps that redraw it, 0 to 1; negative: the model's own */
    const dit_image *mask;       /* with init_image: white is drawn anew, black stays; NULL: all is drawn anew */
    const dit_image *references; /* pictures that the prompt is about, for models that take them */
    int reference_count;
} dit_request;

DIT_API dit_request dit_request_default(void);

/* Draws `request->count` pictures into images[0..count), which the caller releases with dit_image_free. After a failure
 * all of them are empty. `watch` may be NULL. */
DIT_API dit_status dit_generate(dit_model *model, const dit_request *request, const dit_watch *watch, dit_image *images,
                                dit_error *error);

/* Writes a PNG, at once or not at all. `text` holds pairs of keyword and UTF-8 text, ended by NULL, that are stored in
 * the file (such as "parameters" and the prompt); it may be NULL. */
DIT_API dit_status dit_image_write(const dit_image *image, const char *path, const char *const *text, dit_error *error);

/* How many threads compute, from now on, in work started by the calling thread; 0: one for each processor core. */
DIT_API void dit_set_threads(int threads);

#ifdef __cplusplus
}
#endif
#endif
