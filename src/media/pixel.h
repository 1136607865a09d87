// media/pixel.h: arithmetic on 8-bit samples.
#ifndef DIT_MEDIA_PIXEL_H
#define DIT_MEDIA_PIXEL_H

#include <stdint.h>

// x / 255, rounded to nearest, for x up to 255 * 255.
static inline uint8_t dit_divide_255(unsigned x)
{
    x += 128;
    return (uint8_t)((x + (x >> 8)) >> 8);
}

#endif
