// nn/joint_attention.h: attention over two streams with weights of their own, as in MMDiT.
// Esser et al. 2024 (arXiv 2403.03206), section 4, figure 2b.
#ifndef DIT_NN_JOINT_ATTENTION_H
#define DIT_NN_JOINT_ATTENTION_H

#include "nn/nn.h"

typedef struct nn_joint_options {
    bool context_first;    // the context's tokens stand before those of x; otherwise after them
    bool context_pre_only; // the context is only attended to: it has no to_add_out
    bool outputs_apart;    // to_out.0 and to_add_out as nn_linear_apart, with biases
} nn_joint_options;

// x: (B, T, C); context: (B, S, C'), which becomes (B, S, C'), or none when it is pre-only. Returns (B, T, C). The rope
// table and the mask of `options` are those of the joint sequence, in its order. Names: NAME.to_q, to_k, to_v, norm_q,
// norm_k, to_out.0 for x, and NAME.add_q_proj, add_k_proj, add_v_proj, norm_added_q, norm_added_k, to_add_out for the
// context. Taps: NAME.q, NAME.k, NAME.v of the joint sequence.
dit_tensor nn_joint_attention(dit_graph *g, const char *name, dit_tensor x, dit_tensor *context,
                              const nn_attention_options *options, const nn_joint_options *joint);

#endif
