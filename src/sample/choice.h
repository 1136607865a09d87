// sample/choice.h: another sampler, or other times, than a model's scheduler_config.json has.
#ifndef DIT_SAMPLE_CHOICE_H
#define DIT_SAMPLE_CHOICE_H

#include "sample/sampler.h"

typedef struct dit_sampler_choice {
    // euler, euler-ancestral, heun, dpm++2m, dpm++2m-sde, dpm++3m, unipc, ddim, ddpm, lcm; NULL: the configuration's.
    const char *sampler;
    // NULL: the configuration's. uniform: the sampler's own times; karras, exponential, beta: sample/sigmas.h;
    // sigmoid: flow times evenly from 1 to 0, as the logistic function of their logits plus log(shift). That is the
    // schedule of Lumina's own programs (Lumina-Next, arXiv 2406.18583; Lumina-Image 2.0), which write it as
    // t / (t + shift - shift t) of t = 1 - sigma.
    const char *schedule;
    double flow_shift; // of the times of a flow model, the same for all sizes; 0: the configuration's
} dit_sampler_choice;

// The sampler of a configuration with what is chosen in place of its own, as the public classes make one from the
// configuration of another (`from_config`): what both know is kept. A flow model's sampler takes the time shift along,
// for a picture of `shift_tokens` where it depends on the size and the class chosen has one shift for all. `arguments`
// loses sigmas where the sampler takes none, and for the schedule "sigmoid" gets those of `steps`, of malloc, in
// *made_sigmas (to be freed after dit_sampler_set_timesteps; NULL otherwise).
// Fails with DIT_BAD_ARGUMENT, naming --sampler, --schedule or --flow-shift, for what does not go together: a sampler
// of noise predictions and a flow model, a schedule that the class has not, or that means nothing for the model.
dit_status dit_sampler_choose(dit_sampler **s, dit_json config, const dit_sampler_choice *choice, int64_t shift_tokens,
                              int64_t steps, dit_sampler_arguments *arguments, double **made_sigmas, dit_error *error);

#endif
