// sample/sampler.h: samplers, one interface for all: they set the times at which a network is called and turn its
// outputs into the next state. Each is numerically the class of the same name of diffusers 0.42.
//
//     dit_sampler *s;
//     dit_sampler_open(&s, "model/scheduler", error);
//     dit_sampler_set_timesteps(s, 20, NULL, error);
//     dit_sampler_begin(s, &(dit_sample_size){batch, channels, height * width}, channels, 0, error);
//     x = noise * s->init_noise_sigma
//     while (s->next < s->calls) {
//         dit_sampler_scale_input(s, x, scaled);                           // what the network gets, with
//         output = network(scaled, s->timesteps[s->next])                  // its time
//         if (dit_sampler_draws_noise(s)) dit_randn(generator, noise, n);
//         dit_sampler_step(s, output, noise, x, error);                    // x moves on in place
//     }
//
// Every `error` must be there (not NULL). One sampler is used by one thread at a time.
//
// Arithmetic is in float32 where the reference computes with float32 tensors and in double where it computes with
// numpy's float64, in the reference's order, so results agree to the rounding of its log and exp.
#ifndef DIT_SAMPLE_SAMPLER_H
#define DIT_SAMPLE_SAMPLER_H

#include "io/json.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What the reference's set_timesteps and step take beside the steps and tensors. Each class knows some of them.
typedef enum dit_sampler_argument {
    DIT_MU,                       // log of the time shift, where a config has use_dynamic_shifting
    DIT_ETA,                      // DDIM: share of DDPM's noise (0: none)
    DIT_USE_CLIPPED_MODEL_OUTPUT, // DDIM: 1: the noise is computed again from the clipped prediction (0)
    DIT_S_CHURN,                  // Euler, Heun: noise put back before a step (0), ...
    DIT_S_TMIN,                   // ... where sigma is at least this (0)
    DIT_S_TMAX,                   // ... and at most this (infinity), ...
    DIT_S_NOISE,                  // ... times this (1)
    DIT_MAX_TIMESTEPS,            // SCM: time of the first call (1.5708)
    DIT_INTERMEDIATE_TIMESTEPS,   // SCM: time of the second of two calls (1.3)
    DIT_ORIGINAL_INFERENCE_STEPS, // LCM: of the solver that was distilled (the configuration's)
    DIT_STRENGTH,                 // LCM: the share of these that is used, the last ones (1)
    DIT_SAMPLER_ARGUMENTS,
} dit_sampler_argument;

// "mu", "eta", ...: the reference's names.
extern const char *const dit_sampler_argument_name[DIT_SAMPLER_ARGUMENTS];

typedef struct dit_sampler_arguments {
    bool given[DIT_SAMPLER_ARGUMENTS];
    double value[DIT_SAMPLER_ARGUMENTS];
    const double *sigmas; // (steps) before any shift, in place of the class's own spacing; NULL: its own
} dit_sampler_arguments;

// A state is (batch, channels, inner): `inner` is what remains of the shape, such as height * width.
typedef struct dit_sample_size {
    int64_t batch, channels, inner;
} dit_sample_size;

typedef struct dit_sampler dit_sampler;

// A class of samplers. A new one is a file that defines one of these, with its state in a struct that begins with a
// dit_sampler, and a row in sample/samplers.def.
typedef struct dit_sampler_class {
    const char *name;    // as published in `_class_name`
    size_t size;         // bytes of the struct
    unsigned arguments;  // bit mask of 1u << dit_sampler_argument
    bool takes_variance; // the network may predict a variance after the mean: twice the state's channels
    bool takes_sigmas;   // of dit_sampler_arguments
    // Reads and checks a configuration. Unknown keys are not looked at, as in the reference.
    dit_status (*configure)(dit_sampler *s, dit_json config, dit_error *error);
    // Fills calls, timesteps, and what else depends on the number of steps, through dit_sampler_set_times.
    dit_status (*set_timesteps)(dit_sampler *s, int steps, dit_error *error);
    // Optional: checks before the first step, and memory for the state between steps.
    dit_status (*begin)(dit_sampler *s, dit_error *error);
    // Optional: what a state is divided by before the network sees it at call s->next.
    float (*input_divisor)(const dit_sampler *s);
    // Optional: whether the step of call s->next draws noise.
    bool (*draws_noise)(const dit_sampler *s);
    // One step of call s->next; `sample` moves on in place. Allocates nothing. `noise` is there when draws_noise says
    // so.
    void (*step)(dit_sampler *s, const float *model_output, const float *noise, float *sample);
    // A clean sample brought to the noise level at which call `call` starts:
    // noisy = *clean_part * clean + *noise_part * noise.
    void (*noise_level)(const dit_sampler *s, int call, float *clean_part, float *noise_part);
    void (*release)(dit_sampler *s); // optional: frees what the struct owns
} dit_sampler_class;

struct dit_sampler {
    const dit_sampler_class *class;

    // After dit_sampler_set_timesteps:
    int steps;              // as asked for
    int calls;              // of the network: `steps`, or 2 steps - 1 for a sampler of second order
    double *timesteps;      // (calls + extra_timesteps) the network's time argument; float32 values, or integers
    int extra_timesteps;    // 1 where the class's list ends with the time at which sampling ends
    bool integer_timesteps; // the class's timesteps are int64
    float *sigmas;          // (sigma_count) noise levels, one more than calls; NULL where the class has none
    int sigma_count;
    float init_noise_sigma; // what unit noise is multiplied with to be the first state

    // For configs with use_dynamic_shifting: what mu is computed from (dit_sampler_mu).
    bool dynamic_shift;
    double base_shift, max_shift;
    int64_t base_image_seq_len, max_image_seq_len;

    // After dit_sampler_begin:
    dit_sample_size size;    // of the state
    int64_t count;           // of its elements
    int64_t output_channels; // of the network: channels, or twice as many when it predicts a variance too
    int first, next;         // the call at which sampling began, and the one that comes next

    double argument[DIT_SAMPLER_ARGUMENTS]; // as given, or the reference's defaults; mu: NaN when not given
    const double *given_sigmas;             // while set_timesteps runs
};

enum { DIT_MOST_STEPS = 1000000 }; // and most training timesteps

// Opens a scheduler_config.json, or a folder that holds one (itself or in scheduler/). The file's `_class_name` chooses
// the class. Fails with DIT_NO_FILE, DIT_BAD_FILE (malformed; the message names file and key) or DIT_UNSUPPORTED (a
// class or an option that is not here). *s is NULL on failure.
dit_status dit_sampler_open(dit_sampler **s, const char *path, dit_error *error);
// The same for a parsed config, which is not needed afterwards. `class_name` may be NULL: the config's own.
dit_status dit_sampler_new(dit_sampler **s, const char *class_name, dit_json config, dit_error *error);
void dit_sampler_free(dit_sampler *s); // may be NULL

// Class number `i` of the table; NULL after the last.
const dit_sampler_class *dit_sampler_class_at(int i);

// 1 <= steps <= DIT_MOST_STEPS, and at most num_train_timesteps where the reference demands that. `arguments` may be
// NULL: the defaults. DIT_BAD_ARGUMENT when the class does not know an argument, lacks one (mu), or the steps are too
// many; DIT_BAD_NUMBER when the schedule comes out infinite or NaN.
dit_status dit_sampler_set_timesteps(dit_sampler *s, int64_t steps, const dit_sampler_arguments *arguments,
                                     dit_error *error);

// Before the first step: makes room for what is kept between steps. `output_channels` is the network's: size->channels,
// or twice as many where a variance is predicted. Sampling starts at call `first`: 0, or later when an existing sample
// was brought to that noise level. Ends any sampling in progress.
dit_status dit_sampler_begin(dit_sampler *s, const dit_sample_size *size, int64_t output_channels, int first,
                             dit_error *error);

// What the network sees at the next call: out = sample / sqrt(sigma^2 + 1) for classes that scale, or a copy. `out` may
// be `sample`.
void dit_sampler_scale_input(const dit_sampler *s, const float *sample, float *out);
bool dit_sampler_draws_noise(const dit_sampler *s); // whether the next step wants noise
// model_output: (batch, output_channels, inner); noise: like sample, or NULL when the step draws none; sample:
// (batch, channels, inner), moved on in place.
dit_status dit_sampler_step(dit_sampler *s, const float *model_output, const float *noise, float *sample,
                            dit_error *error);
// out = a * clean + b * noise at the level of call `call` (image to image, inpainting). `out` may be either of them.
void dit_sampler_add_noise(const dit_sampler *s, int call, const float *clean, const float *noise, float *out,
                           int64_t count);

// The linear rule by which published pipelines choose mu from the number of image tokens.
double dit_sampler_mu(const dit_sampler *s, int64_t image_tokens);

#endif
