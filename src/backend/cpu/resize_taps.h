// backend/cpu/resize_taps.h: which columns a column of the resized image mixes, laid out for vector code.
#ifndef DIT_BACKEND_CPU_RESIZE_TAPS_H
#define DIT_BACKEND_CPU_RESIZE_TAPS_H

#include "backend/cpu/isa.h"
#include "backend/rounding.h"

// Column j of the large side is (1 - fraction[j]) * column first[j] + fraction[j] * column second[j].
typedef struct dit_resize_taps {
    int32_t *first, *second; // 32 bits, as vector loads by index take them
    float *fraction;
} dit_resize_taps;

static inline size_t dit_resize_taps_bytes(int64_t columns)
{
    return (size_t)columns * (2 * sizeof(int32_t) + sizeof(float));
}

// Fills the taps for `in` columns resized to `out` ones, in `room` of dit_resize_taps_bytes(out) bytes.
static inline dit_resize_taps dit_resize_taps_in(void *room, int64_t in, int64_t out, dit_resize_mode mode)
{
    dit_resize_taps taps = {room, (int32_t *)room + out, (float *)((int32_t *)room + 2 * out)};
    for (int64_t j = 0; j < out; j++) {
        dit_resize_tap tap = dit_resize_tap_of(j, in, out, mode);
        taps.first[j] = (int32_t)tap.first;
        taps.second[j] = (int32_t)tap.second;
        taps.fraction[j] = tap.fraction;
    }
    return taps;
}

#endif
