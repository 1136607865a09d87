// train/loader.h: batches of pictures, decoded by threads of their own while the network computes.
//
// What a batch holds depends on the set, the options and the step number alone: not on threads, timing or the cache.
#ifndef DIT_TRAIN_LOADER_H
#define DIT_TRAIN_LOADER_H

#include "train/augment.h"
#include "train/dataset.h"

typedef struct dit_loader_options {
    dit_picture_options picture;
    int batch;             // B, samples of a step that this loader hands out
    int first, step_batch; // with several ranks: which of the step's samples are this one's; 0 and 0 (B): all of them
    uint64_t seed;         // of order and augmentation
    int threads;           // that decode; 0: two
    int ahead;             // steps decoded ahead of the one that is in use; 0: two
    size_t cache_bytes;    // for prepared pictures that are kept; 0: one GiB. What does not fit is read again.
} dit_loader_options;

typedef struct dit_batch {
    uint64_t step;
    int count;             // B
    const float *pictures; // (B, C, S, S) in [-1, 1]
    const size_t *sample;  // [B], in the set
    uint64_t position;     // of the first one in the endless sequence, as dit_caption_draw takes it
} dit_batch;

typedef struct dit_loader dit_loader;

// Starts decoding for `step`, the first one that dit_loader_next will give. The set must outlive the loader. Fails with
// DIT_BAD_ARGUMENT or DIT_NO_MEMORY.
dit_status dit_loader_new(dit_loader **loader, const dit_dataset *set, const dit_loader_options *options, uint64_t step,
                          dit_error *error);
// Waits for the threads' present samples and ends them. May be NULL.
void dit_loader_free(dit_loader *loader);

// The next step's batch, which is the loader's and holds until the next call. When a sample of it cannot be read, fails
// as dit_dataset_read did for the first such sample; the step may be asked for again by a new loader.
dit_status dit_loader_next(dit_loader *loader, dit_batch *batch, dit_error *error);

// One sample without chance or threads: planes (C, S, S) in [-1, 1], as a loader gives it when options->augmentation is
// all zero.
dit_status dit_loader_read(const dit_dataset *set, size_t sample, const dit_picture_options *options, float *planes,
                           dit_error *error);

#endif
