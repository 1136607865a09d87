// nn/moe.h: feed-forwards of which each token goes through a few. Shazeer et al. 2017 (arXiv 1701.06538), section 2;
// with a shared expert: Dai et al. 2024 (arXiv 2401.06066), section 3.2.
#ifndef DIT_NN_MOE_H
#define DIT_NN_MOE_H

#include "nn/nn.h"

typedef struct nn_moe_options {
    int experts, active;         // routed experts, and how many of them a token goes through
    int64_t width, shared_width; // of a routed expert, of the shared one
    const char *const *names;    // of an expert's three layers (nn_swiglu)
} nn_moe_options;

// The sum of the `active` experts that NAME.gate scores highest for a token, each times its score (a softmax over all
// of them, not made to add up to one again), and of NAME.shared_experts. x: (B, T, C) -> (B, T, C). Names:
// NAME.gate.weight (experts, C), NAME.experts.I, NAME.shared_experts. No gradient passes through the routed experts and
// the gate, which is what the public implementation's autograd gives outside of its own training mode.
//
// Tokens are put in the order of their experts (route), so that an expert computes the tokens that chose it and no
// others (grouped_linear): B * T * active rows in all, whoever chooses what.
dit_tensor nn_moe(dit_graph *g, const char *name, dit_tensor x, const nn_moe_options *options);

#endif
