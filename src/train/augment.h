// train/augment.h: from a decoded picture to what the network sees: one size, one range, chance in between.
#ifndef DIT_TRAIN_AUGMENT_H
#define DIT_TRAIN_AUGMENT_H

#include "base/error.h"
#include "dit/dit.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How a picture becomes square.
typedef enum dit_fit {
    DIT_FIT_PAD,     // background on two sides
    DIT_FIT_CROP,    // its middle
    DIT_FIT_STRETCH, // whatever its shape
} dit_fit;

// What chance may do to a picture. All zero: nothing. Fractions are of the picture's side.
typedef struct dit_augmentation {
    bool mirror;    // left to right in half of the cases
    double crop;    // the network sees a square of at least 1 - crop of the picture's side, anywhere in it,
    double margin;  // and of at most 1 + margin, with the picture anywhere in it and background around it;
    double shift;   // it is moved by up to this much on both axes,
    double stretch; // and one axis is stretched against the other by up to exp(stretch).
    // Factors drawn from [1 - x, 1 + x], for each picture once.
    double brightness, contrast, saturation;
} dit_augmentation;

typedef struct dit_picture_options {
    int size;     // S, of the square that the network sees
    int channels; // 1 or 3
    dit_fit fit;
    uint8_t background[3]; // under transparent pixels and around the picture; its luma where channels is 1
    dit_augmentation augmentation;
} dit_picture_options;

// DIT_BAD_ARGUMENT, naming the field, when a size or a fraction is out of range.
dit_status dit_picture_options_check(const dit_picture_options *o, dit_error *error);

// The part that chance has no say in, done once for a sample: blends over the background, makes it square, and shrinks
// it to S, or to 2 S where augmentation will take windows of it. `image` changes in place.
dit_status dit_picture_prepare(dit_image *image, const dit_picture_options *o, dit_error *error);

// The rest: `planes` gets (C, S, S) in [-1, 1] of a prepared picture. What chance decides depends on (seed, position)
// only. `may_mirror` is false for pictures that are not themselves when mirrored. Fails with DIT_NO_MEMORY.
dit_status dit_picture_draw(const dit_image *prepared, const dit_picture_options *o, uint64_t seed, uint64_t position,
                            bool may_mirror, float *planes, dit_error *error);

#endif
