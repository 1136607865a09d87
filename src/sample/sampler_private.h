// sample/sampler_private.h: what the files of samplers share.
#ifndef DIT_SAMPLE_SAMPLER_PRIVATE_H
#define DIT_SAMPLE_SAMPLER_PRIVATE_H

#include "sample/elementwise.h"
#include "sample/noise_schedule.h"
#include "sample/sampler.h"
#include "sample/sequence.h"
#include "sample/sigmas.h"

#define DIT_ARGUMENT(name) (1u << DIT_##name)

// Makes room for `calls` timesteps and, unless sigma_count is 0, so many sigmas, in place of any earlier ones.
dit_status dit_sampler_set_calls(dit_sampler *s, int calls, int sigma_count, dit_error *error);

// Fails when there are more steps than training timesteps.
dit_status dit_sampler_limit_steps(const dit_sampler *s, int steps, int64_t train_steps, dit_error *error);

// For classes whose states keep the signal at 1 under noise of s->sigmas (Euler, Heun).
float dit_first_sigma(const dit_sampler *s,
                      dit_spacing spacing);    // init_noise_sigma: "leading" starts below the largest
float dit_sigma_divisor(const dit_sampler *s); // an input_divisor
void dit_sigma_noise_level(const dit_sampler *s, int call, float *clean_part, float *noise_part); // a noise_level

// Reads use_dynamic_shifting and, with it, what mu is computed from.
dit_status dit_sampler_read_shift(dit_sampler *s, dit_json config, dit_error *error);

// Churn (Karras et al. 2022, algorithm 2): noise is put back before a step, which then starts from a higher sigma.
#define DIT_CHURN_ARGUMENTS                                                                                            \
    (DIT_ARGUMENT(S_CHURN) | DIT_ARGUMENT(S_TMIN) | DIT_ARGUMENT(S_TMAX) | DIT_ARGUMENT(S_NOISE))
// How much higher, relative to sigma.
double dit_churn(const dit_sampler *s, float sigma);
// Adds the noise to the sample where there is churn; returns the sigma that it has then.
float dit_add_churn(const dit_sampler *s, float sigma, const float *noise, float *sample);

// `count` float32 values, uninitialised; NULL with an error when memory is out.
float *dit_sampler_room(int64_t count, dit_error *error);

#endif
