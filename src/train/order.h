// train/order.h: the endless sequence of samples that a run trains on: a permutation of the set for each epoch.
#ifndef DIT_TRAIN_ORDER_H
#define DIT_TRAIN_ORDER_H

#include "base/random.h"
#include "train/stream.h"

// The sample at `position` (0, 1, 2, ...) of a run with this seed over `count` samples, 1 or more. It depends on
// nothing else, so a run resumes from its step number alone, and ranks share the sequence without talking.
static inline uint64_t dit_order_sample(uint64_t seed, uint64_t count, uint64_t position)
{
    return dit_counter_permutation(seed, dit_stream(DIT_STREAM_ORDER, position / count), count, position % count);
}

#endif
