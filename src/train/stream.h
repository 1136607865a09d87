// train/stream.h: which numbers of the counter-based generator (base/random.h) serve what in training, so that no two
// uses share a stream. A use has 2^56 streams of its own, numbered by what it draws for.
#ifndef DIT_TRAIN_STREAM_H
#define DIT_TRAIN_STREAM_H

#include <stdint.h>

enum dit_stream {
    DIT_STREAM_ORDER = 0x41, // numbered by epoch
    DIT_STREAM_PICTURE,      // augmentation; numbered by position in the endless sequence of samples
    DIT_STREAM_CAPTION,      // numbered like pictures
    DIT_STREAM_TIME,         // of the objective; indexed by position
    DIT_STREAM_NOISE,        // indexed by position
    DIT_STREAM_DROP,         // which conditions are left out; indexed by position
    DIT_STREAM_EVAL,         // numbered by query
};

static inline uint64_t dit_stream(enum dit_stream use, uint64_t number)
{
    return (uint64_t)use << 56 | (number & ((UINT64_C(1) << 56) - 1));
}

#endif
