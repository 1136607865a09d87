// train/window.h: a rectangle of a picture, of any size and place, seen at another resolution.
#ifndef DIT_TRAIN_WINDOW_H
#define DIT_TRAIN_WINDOW_H

#include "base/error.h"
#include "dit/dit.h"
#include <stdint.h>

// In pixels of the picture from its upper left corner; it may reach beyond the picture.
typedef struct dit_picture_window {
    double x, y, width, height; // width and height above 0
} dit_picture_window;

// Resamples the window to size x size with a bicubic filter (Keys 1981, a = -1/2) that widens where it shrinks, so that
// nothing aliases. Beyond the picture lies `background` (one value a channel). planes: (C, size, size), 0 to 255, where
// the filter's overshoot is not clipped. Fails with DIT_NO_MEMORY.
dit_status dit_picture_window_resample(const dit_image *image, dit_picture_window window, int size,
                                       const uint8_t *background, float *planes, dit_error *error);

#endif
