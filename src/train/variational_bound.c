// train/variational_bound.c: KL divergences of diagonal Gaussians, and the likelihood of discretised values.
#include "train/variational_bound.h"
#include "graph/ops.h"
#include <math.h>

// x_0 as the network's prediction has it.
static dit_tensor predicted_sample(dit_graph *g, const dit_objective *o, dit_tensor prediction, dit_tensor noisy,
                                   dit_tensor signal, dit_tensor sigma)
{
    switch (o->target) {
    case DIT_TARGET_SAMPLE:
        return prediction;
    case DIT_TARGET_VELOCITY:
        return dit_sub(g, dit_mul(g, noisy, signal), dit_mul(g, prediction, sigma));
    default:
        return dit_div(g, dit_sub(g, noisy, dit_mul(g, prediction, sigma)), signal);
    }
}

// KL(N(m1, exp(v1)) || N(m2, exp(v2))) in nats.
static dit_tensor normal_kl(dit_graph *g, dit_tensor m1, dit_tensor v1, dit_tensor m2, dit_tensor v2)
{
    dit_tensor ratio = dit_exp(g, dit_sub(g, v1, v2));
    dit_tensor distance = dit_mul(g, dit_square(g, dit_sub(g, m1, m2)), dit_exp(g, dit_affine(g, v2, -1, 0)));
    dit_tensor sum = dit_add(g, dit_add(g, dit_sub(g, v2, v1), ratio), distance);
    return dit_affine(g, sum, 0.5f, -0.5f);
}

// The cumulative normal distribution, tanh approximation (Page 1977).
static dit_tensor normal_cdf(dit_graph *g, dit_tensor x)
{
    dit_tensor cube = dit_mul(g, dit_square(g, x), x);
    dit_tensor inner = dit_affine(g, dit_add(g, x, dit_affine(g, cube, 0.044715f, 0)), (float)sqrt(2 / M_PI), 0);
    return dit_affine(g, dit_tanh(g, inner), 0.5f, 0.5f);
}

static dit_tensor log_of_at_least(dit_graph *g, dit_tensor x)
{
    return dit_log(g, dit_clamp(g, x, 1e-12f, INFINITY));
}

// log P(x in its cell of width 2/255) under N(mean, exp(2 * log_scale)); the outermost cells are open.
static dit_tensor discretised_log_likelihood(dit_graph *g, dit_tensor x, dit_tensor mean, dit_tensor log_scale)
{
    const float half = 1.0f / 255;
    dit_tensor centred = dit_sub(g, x, mean), inverse = dit_exp(g, dit_affine(g, log_scale, -1, 0));
    dit_tensor above = normal_cdf(g, dit_mul(g, inverse, dit_affine(g, centred, 1, half)));
    dit_tensor below = normal_cdf(g, dit_mul(g, inverse, dit_affine(g, centred, 1, -half)));
    dit_tensor is_lowest = dit_less(g, x, dit_scalar(g, -0.999f));
    dit_tensor is_highest = dit_less(g, dit_scalar(g, 0.999f), x);
    dit_tensor upper = log_of_at_least(g, dit_affine(g, below, -1, 1));
    dit_tensor inside = log_of_at_least(g, dit_sub(g, above, below));
    return dit_where(g, is_lowest, log_of_at_least(g, above), dit_where(g, is_highest, upper, inside));
}

dit_tensor dit_variational_bound(dit_graph *g, const dit_objective *o, dit_tensor prediction, dit_tensor interpolation,
                                 dit_tensor x0, dit_tensor noisy, dit_tensor coefficients)
{
    dit_tensor c[DIT_COEFFICIENTS]; // (B, 1, 1, 1) each
    for (int i = 0; i < DIT_COEFFICIENTS; i++)
        c[i] = dit_objective_coefficient(g, coefficients, i);
    // The network's log variance lies between the posterior's and beta: fraction = (v + 1) / 2 (equation 15).
    dit_tensor fraction = dit_affine(g, interpolation, 0.5f, 0.5f);
    dit_tensor range = dit_sub(g, c[DIT_LOG_VARIANCE_HIGH], c[DIT_LOG_VARIANCE_LOW]);
    dit_tensor log_variance = dit_add(g, dit_mul(g, fraction, range), c[DIT_LOG_VARIANCE_LOW]);

    dit_tensor x0_hat = predicted_sample(g, o, prediction, noisy, c[DIT_SIGNAL], c[DIT_SIGMA]);
    dit_tensor state = dit_mul(g, noisy, c[DIT_POSTERIOR_STATE]);
    dit_tensor true_mean = dit_add(g, dit_mul(g, x0, c[DIT_POSTERIOR_SAMPLE]), state);
    dit_tensor mean = dit_add(g, dit_mul(g, x0_hat, c[DIT_POSTERIOR_SAMPLE]), state);

    dit_tensor kl = normal_kl(g, true_mean, c[DIT_LOG_VARIANCE_LOW], mean, log_variance);
    dit_tensor likelihood = discretised_log_likelihood(g, x0, mean, dit_affine(g, log_variance, 0.5f, 0));
    dit_tensor is_first = dit_less(g, dit_scalar(g, 0.5f), c[DIT_IS_FIRST_STEP]);
    dit_tensor nats = dit_where(g, is_first, dit_affine(g, likelihood, -1, 0), kl);
    return dit_mean(g, dit_affine(g, nats, (float)(1 / M_LN2), 0), 0xf, false);
}
