// train/objective.c: times, coefficients, and the simple loss.
#include "train/objective.h"
#include "base/random.h"
#include "graph/ops.h"
#include "train/stream.h"
#include "train/variational_bound.h"
#include <math.h>
#include <stdlib.h>

dit_status dit_objective_prepare(dit_objective *o, dit_error *error)
{
    if (o->process == DIT_CLASSIFICATION && (o->learned_variance || o->min_snr_gamma > 0 || o->velocity_loss))
        return dit_fail(error, DIT_BAD_ARGUMENT, "objective.%s: a classifier predicts no noise and no sample",
                        o->learned_variance    ? "learned_variance"
                        : o->min_snr_gamma > 0 ? "min_snr_gamma"
                                               : "velocity_loss");
    if (o->process != DIT_CLASSIFICATION && o->label_smoothing > 0)
        return dit_fail(error, DIT_BAD_ARGUMENT, "objective.label_smoothing: is for a classifier");
    if (o->process == DIT_FLOW && o->learned_variance)
        return dit_fail(error, DIT_BAD_ARGUMENT, "objective.learned_variance: a flow has no variance to learn");
    if (o->process == DIT_FLOW && o->min_snr_gamma > 0)
        return dit_fail(error, DIT_BAD_ARGUMENT, "objective.min_snr_gamma: weighs diffusions, not flows");
    if (o->velocity_loss && (o->process != DIT_FLOW || o->target != DIT_TARGET_SAMPLE))
        return dit_fail(error, DIT_BAD_ARGUMENT, "objective.velocity_loss: is for a flow that predicts the sample");
    if (o->process == DIT_FLOW && o->target == DIT_TARGET_NOISE)
        return dit_fail(error, DIT_BAD_ARGUMENT, "objective.predict: a flow predicts velocity or sample");
    if (o->process != DIT_DIFFUSION)
        return DIT_OK;
    if (o->steps < 1 || !(o->beta_start > 0 && o->beta_start <= o->beta_end && o->beta_end < 1))
        return dit_fail(error, DIT_BAD_ARGUMENT, "objective: %d steps with betas from %g to %g are no diffusion",
                        o->steps, o->beta_start, o->beta_end);
    o->signal_square = malloc((size_t)o->steps * sizeof *o->signal_square);
    if (!o->signal_square)
        return dit_fail(error, DIT_NO_MEMORY, "objective.steps: no memory for %d steps", o->steps);
    double product = 1;
    for (int t = 0; t < o->steps; t++) {
        double beta = o->beta_start + (o->beta_end - o->beta_start) * (o->steps > 1 ? t / (o->steps - 1.0) : 0);
        o->signal_square[t] = product *= 1 - beta;
    }
    return DIT_OK;
}

void dit_objective_release(dit_objective *o)
{
    free(o->signal_square);
    o->signal_square = NULL;
}

double dit_objective_time(const dit_objective *o, uint64_t seed, uint64_t index)
{
    if (o->process == DIT_DIFFUSION)
        return (double)dit_counter_below(seed, dit_stream(DIT_STREAM_TIME, 0), index, (uint64_t)o->steps);
    if (o->times == DIT_TIMES_LOGIT_NORMAL)
        return 1 / (1 + exp(-(o->logit_mean +
                              o->logit_std * dit_counter_normal(seed, dit_stream(DIT_STREAM_TIME, 0), index))));
    return (double)dit_counter_uniform(seed, dit_stream(DIT_STREAM_TIME, 0), index) +
           0x1p-25; // the middle of its cell: never 0 or 1
}

double dit_objective_timestep(const dit_objective *o, double time)
{
    return o->process == DIT_FLOW ? 1000 * time : time;
}

static double min_snr_weight(const dit_objective *o, double snr)
{
    double least = fmin(snr, o->min_snr_gamma);
    switch (o->target) {
    case DIT_TARGET_NOISE:
        return least / snr;
    case DIT_TARGET_VELOCITY:
        return least / (snr + 1);
    default:
        return least;
    }
}

// Coefficients of the posterior q(x_{t-1} | x_t, x_0) (Ho et al. 2020, equation 7), for the variational bound.
static void posterior(const dit_objective *o, int t, float *row)
{
    double abar = o->signal_square[t], before = t ? o->signal_square[t - 1] : 1, beta = 1 - abar / before;
    double variance = beta * (1 - before) / (1 - abar);
    if (t == 0 && o->steps > 1) // zero at the first step: the second one's is used, as the public code does
        variance = (1 - o->signal_square[1] / abar) * (1 - abar) / (1 - o->signal_square[1]);
    row[DIT_LOG_VARIANCE_LOW] = (float)log(variance);
    row[DIT_LOG_VARIANCE_HIGH] = (float)log(beta);
    row[DIT_POSTERIOR_SAMPLE] = (float)(beta * sqrt(before) / (1 - abar));
    row[DIT_POSTERIOR_STATE] = (float)((1 - before) * sqrt(1 - beta) / (1 - abar));
    row[DIT_IS_FIRST_STEP] = t == 0;
}

void dit_objective_coefficients(const dit_objective *o, double time, float row[DIT_COEFFICIENTS])
{
    for (int i = 0; i < DIT_COEFFICIENTS; i++)
        row[i] = 0;
    row[DIT_WEIGHT] = 1;
    if (o->process == DIT_FLOW) {
        row[DIT_SIGNAL] = (float)(1 - time);
        row[DIT_SIGMA] = (float)time;
        if (o->velocity_loss)
            row[DIT_WEIGHT] = (float)pow(fmax(time, o->least_time), -2);
        return;
    }
    double abar = o->signal_square[(int)time];
    row[DIT_SIGNAL] = (float)sqrt(abar);
    row[DIT_SIGMA] = (float)sqrt(1 - abar);
    if (o->min_snr_gamma > 0)
        row[DIT_WEIGHT] = (float)min_snr_weight(o, abar / (1 - abar));
    if (o->learned_variance)
        posterior(o, (int)time, row);
}

dit_tensor dit_objective_coefficient(dit_graph *g, dit_tensor coefficients, int which)
{
    dit_tensor column = dit_slice(g, coefficients, 1, which, 1, 1); // (B, 1)
    return dit_reshape(g, column, DIT_SHAPE(dit_extent(g, coefficients, 0), 1, 1, 1));
}

dit_tensor dit_objective_noisy(dit_graph *g, dit_tensor x0, dit_tensor noise, dit_tensor coefficients)
{
    dit_tensor signal = dit_objective_coefficient(g, coefficients, DIT_SIGNAL);
    dit_tensor sigma = dit_objective_coefficient(g, coefficients, DIT_SIGMA);
    return dit_add(g, dit_mul(g, x0, signal), dit_mul(g, noise, sigma));
}

static dit_tensor target_of(dit_graph *g, const dit_objective *o, dit_tensor x0, dit_tensor noise,
                            dit_tensor coefficients)
{
    if (o->target == DIT_TARGET_NOISE)
        return noise;
    if (o->target == DIT_TARGET_SAMPLE)
        return x0;
    if (o->process == DIT_FLOW)
        return dit_sub(g, noise, x0);
    return dit_sub(g, dit_mul(g, noise, dit_objective_coefficient(g, coefficients, DIT_SIGNAL)),
                   dit_mul(g, x0, dit_objective_coefficient(g, coefficients, DIT_SIGMA)));
}

dit_tensor dit_objective_loss(dit_graph *g, const dit_objective *o, dit_tensor output, dit_tensor x0, dit_tensor noise,
                              dit_tensor noisy, dit_tensor coefficients)
{
    int64_t C = dit_extent(g, x0, 1);
    dit_tensor prediction = o->learned_variance ? dit_slice(g, output, 1, 0, C, 1) : output; // (B, C, H, W)
    dit_tensor error = dit_square(g, dit_sub(g, prediction, target_of(g, o, x0, noise, coefficients)));
    if (o->min_snr_gamma > 0 || o->velocity_loss)
        error = dit_mul(g, error, dit_objective_coefficient(g, coefficients, DIT_WEIGHT));
    dit_tensor loss = dit_mean(g, error, 0xf, false); // ()
    if (!o->learned_variance)
        return loss;
    dit_tensor interpolation = dit_slice(g, output, 1, C, C, 1); // (B, C, H, W)
    return dit_add(g, loss,
                   dit_variational_bound(g, o, dit_detach(g, prediction), interpolation, x0, noisy, coefficients));
}
