// nn/adaln_single.h: one modulation for all blocks, made from time alone, to which every block adds a table of its own.
// Chen et al. 2023 (arXiv 2310.00426), section 2.3: PixArt, SANA.
#ifndef DIT_NN_ADALN_SINGLE_H
#define DIT_NN_ADALN_SINGLE_H

#include "nn/nn.h"

typedef struct nn_adaln_single_options {
    dit_tensor resolution, aspect_ratio; // of the picture, B times k numbers each; or none
    dit_tensor guidance;                 // (B) guidance scales (SANA-Sprint), or none
    int64_t batch;
    dit_dtype dtype; // of the network
} nn_adaln_single_options;

typedef struct nn_adaln_single_result {
    dit_tensor modulation; // (B, 6, C) for the blocks
    dit_tensor embedded;   // (B, C), for the last layer
} nn_adaln_single_result;

// timestep: (B). Names: PREFIX.timestep_embedder, PREFIX.resolution_embedder, PREFIX.aspect_ratio_embedder,
// PREFIX.guidance_embedder, where PREFIX is `name` for guidance and `name`.emb otherwise; NAME.linear.
nn_adaln_single_result nn_adaln_single(dit_graph *g, const char *name, dit_tensor timestep, int64_t width,
                                       const nn_adaln_single_options *options);

// The parameter scale_shift_table (count, C) plus a condition (B, count or 1, C), in `count` parts (B, 1, C).
void nn_scale_shift_table(dit_graph *g, dit_tensor condition, int count, dit_tensor *parts);

#endif
