// train/variational_bound.h: the term that teaches a network its variances.
#ifndef DIT_TRAIN_VARIATIONAL_BOUND_H
#define DIT_TRAIN_VARIATIONAL_BOUND_H

#include "train/objective.h"

// One coefficient of every sample, (B, 1, 1, 1).
dit_tensor dit_objective_coefficient(dit_graph *g, dit_tensor coefficients, int which);

// The variational bound of one random step in bits a value, averaged over the batch: a KL divergence between the
// posterior and the network's step, or at the first step the likelihood of 8-bit values in [-1, 1]. Nichol and Dhariwal
// 2021 (arXiv 2102.09672), section 3.1. prediction (detached), interpolation, x0, noisy: (B, C, H, W).
dit_tensor dit_variational_bound(dit_graph *g, const dit_objective *o, dit_tensor prediction, dit_tensor interpolation,
                                 dit_tensor x0, dit_tensor noisy, dit_tensor coefficients);

#endif
