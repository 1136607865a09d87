// nn/linear_attention.h: attention whose cost grows with the number of tokens, not with its square.
// Katharopoulos et al. 2020 (arXiv 2006.16236), equation 5, with phi = relu as in SANA (Xie et al. 2024, arXiv
// 2410.10629, section 2.2):
//     y_i = relu(q_i) (sum_j relu(k_j)^T v_j) / (relu(q_i) . sum_j relu(k_j) + 1e-15)
#ifndef DIT_NN_LINEAR_ATTENTION_H
#define DIT_NN_LINEAR_ATTENTION_H

#include "nn/nn.h"

// q: (B, Tq, H, D), k and v: (B, Tk, H, D) -> (B, Tq, H, D), f32 whatever the dtype of the three.
dit_tensor nn_linear_attention(dit_graph *g, dit_tensor q, dit_tensor k, dit_tensor v);

#endif
