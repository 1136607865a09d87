// sample/guidance.h: classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598): the network answers with the
// condition and without it, and the difference of the answers is amplified.
#ifndef DIT_SAMPLE_GUIDANCE_H
#define DIT_SAMPLE_GUIDANCE_H

#include "dit/dit.h"
#include "sample/sampler.h"

// How the difference of the answers is put to use.
typedef enum dit_guidance_kind {
    DIT_GUIDANCE_PLAIN,     // without + scale * (with - without)
    DIT_GUIDANCE_PROJECTED, // adaptive projected guidance (Sadat et al. 2024, arXiv 2410.02416, algorithm 1): of the
                            // averaged and bounded difference only what is orthogonal to `with`, and `parallel` of the
                            // rest, is added (scale - 1) times
    DIT_GUIDANCE_ZERO_STAR, // CFG-Zero* (Fan et al. 2025, arXiv 2503.18886, algorithm 1): `without` is scaled to fit
                            // `with` best, and the first calls go nowhere
} dit_guidance_kind;

typedef struct dit_guidance {
    dit_guidance_kind kind;
    double scale;   // 1: no guidance
    double rescale; // share of the rescaled answer (Lin et al. 2023, arXiv 2305.08891, section 3.4); 0: none
    double start;   // guidance acts on calls in [start, stop) of all calls, both rounded down (Kynkäänniemi et al.
    double stop;    // 2024, arXiv 2404.07724: neither the noisiest nor the cleanest states gain by it)
    double parallel, momentum, norm_limit; // of DIT_GUIDANCE_PROJECTED; norm_limit 0: no bound
    int zero_calls;                        // of DIT_GUIDANCE_ZERO_STAR
    // Skip-layer guidance (Stability AI 2024, SD3.5; cf. Karras et al. 2024, arXiv 2406.02507): away from the answer
    // that the network gives without some of its layers, skip_scale * (with - skipping) on top of the rest.
    double skip_scale;            // 0: none
    double skip_start, skip_stop; // it acts on calls strictly between these shares of the steps
} dit_guidance;

// The answers of one call, each (batch, channels, inner).
typedef struct dit_guidance_answers {
    const float *with, *without;
    float *skipping; // with the condition and without some layers, overwritten; NULL: not asked for at this call
} dit_guidance_answers;

// Guidance of a kind as its paper recommends it, at every call, not rescaled.
dit_guidance dit_guidance_of(dit_guidance_kind kind, double scale);
// The kind by its name on the command line: "cfg", "apg", "cfg-zero"; false when there is none.
bool dit_guidance_kind_from_name(const char *name, dit_guidance_kind *kind);

// Whether that call is in the interval; outside of it one answer, with the condition, is all that is needed.
bool dit_guidance_acts(const dit_guidance *g, int call, int calls);

// Whether layers are skipped at that call, of `steps` steps.
bool dit_guidance_skips(const dit_guidance *g, int call, int steps);

// Combines the answers of call `call`. Only the first `guided` channels take part; the others, such as a predicted
// variance, are those of the answer with the condition. `out` may be `with` or `without`.
// Rescaling brings the standard deviation of each sample's guided channels back to that of the answer with the
// condition. `average` (batch, guided, inner), zero before the first call, is what projected guidance with momentum
// keeps; it may be NULL otherwise.
void dit_guidance_combine(const dit_guidance *g, int call, const dit_guidance_answers *answers,
                          const dit_sample_size *size, int64_t guided, float *average, float *out);

#endif
