// graph/read_ahead.h: a thread that asks for weights before the steps that use them, while others compute.
#ifndef DIT_GRAPH_READ_AHEAD_H
#define DIT_GRAPH_READ_AHEAD_H

#include "graph/weights.h"

// One use of a weight that does not stay in memory.
typedef struct dit_weight_read {
    int step; // of the plan
    dit_weight *weight;
    bool whole; // otherwise some of its rows, which are not known before
} dit_weight_read;

typedef struct dit_read_ahead dit_read_ahead;

// `reads` (borrowed, in the order of the steps) come round again and again. The thread stays `window` bytes ahead of
// the use, and at least one read.
dit_status dit_read_ahead_new(dit_read_ahead **ahead, const dit_weights *weights, const dit_weight_read *reads,
                              int count, size_t window, dit_error *error);
void dit_read_ahead_free(dit_read_ahead *ahead);
// The first `used` reads of this round are over; 0 begins a round.
void dit_read_ahead_at(dit_read_ahead *ahead, int used);

#endif
