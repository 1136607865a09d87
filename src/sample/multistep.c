// sample/multistep.c: levels, and conversion of outputs.
#include "sample/multistep.h"

dit_level dit_level_of(float s, bool is_flow)
{
    float alpha = is_flow ? 1 - s : 1 / sqrtf(s * s + 1), sigma = is_flow ? s : s * alpha;
    return (dit_level){alpha, sigma, dit_exact_log(alpha) - dit_exact_log(sigma)};
}

void dit_convert_output(const dit_sampler *s, const dit_conversion *how, dit_level level, float sigma,
                        const float *output, const float *sample, float *out, float *room)
{
    const dit_threshold *threshold = &how->threshold;
    if (how->prediction != DIT_PREDICTS_FLOW)
        sigma = level.sigma;
    if (how->to_data) {
        dit_predicted_x0(how->prediction, level.alpha, sigma, sample, output, out, s->count);
        if (threshold->on)
            dit_threshold_apply(threshold, &s->size, out, room);
        return;
    }
    dit_predicted_epsilon(how->prediction, level.alpha, sigma, sample, output, out, s->count);
    if (!threshold->on)
        return;
    dit_predicted_x0(DIT_PREDICTS_EPSILON, level.alpha, sigma, sample, out, out, s->count);
    dit_threshold_apply(threshold, &s->size, out, room);
    dit_predicted_epsilon(DIT_PREDICTS_SAMPLE, level.alpha, sigma, sample, out, out, s->count);
}
