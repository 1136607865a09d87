// media/image.h: pictures in memory: reading files, shapes, colours, sizes. dit_image itself is in dit/dit.h.
#ifndef DIT_MEDIA_IMAGE_H
#define DIT_MEDIA_IMAGE_H

#include "base/error.h"
#include "dit/dit.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DIT_IMAGE_LONGEST_SIDE = 65535,
    DIT_IMAGE_MOST_PIXELS = 1 << 27, // 134 million, half a gigabyte of RGBA
};

// Takes zeroed pixels. Sizes outside 1 to the limits above and channels other than 1, 3, 4 are DIT_BAD_ARGUMENT.
dit_status dit_image_alloc(dit_image *image, int width, int height, int channels, dit_error *error);

// Reads a PNG (of any depth and colour type), JPEG (grey, colour, CMYK, YCCK) or WebP (of an animation, the first
// frame) of at most 512 MiB, recognised by its first bytes. The picture stands upright: EXIF orientations are undone.
// 16-bit samples keep their upper byte, as in Pillow. `channels` 1, 3 or 4 converts (dit_image_convert); 0 keeps the
// file's own: 1 for grey, 3 for colour, 4 where there is transparency. Broken and cut files are errors; nothing larger
// than DIT_IMAGE_MOST_PIXELS, nor than the file's own bytes can account for, is decoded.
// Fails with DIT_NO_FILE, DIT_BAD_FILE, DIT_UNSUPPORTED (another format) or DIT_NO_MEMORY.
dit_status dit_image_load(dit_image *image, const char *path, int channels, dit_error *error);
// The same for a file in memory; `name` stands for its name in errors.
dit_status dit_image_decode(dit_image *image, const char *name, const void *bytes, size_t size, int channels,
                            dit_error *error);

// Changes the channels in place. Colour to grey: (19595 R + 38470 G + 7471 B + 32768) >> 16 (ITU-R BT.601 luma, as in
// Pillow). Alpha is dropped, not blended (see dit_image_flatten), and starts opaque. On failure `image` is unchanged.
dit_status dit_image_convert(dit_image *image, int channels, dit_error *error);

// Blends a picture with alpha over one colour, c = (alpha c + (255 - alpha) background) / 255, and drops the alpha.
// Pictures without alpha stay as they are.
dit_status dit_image_flatten(dit_image *image, const uint8_t background[3], dit_error *error);

// Keeps the rectangle at (x, y) from the upper left corner, which must lie within the picture (DIT_BAD_ARGUMENT).
dit_status dit_image_crop(dit_image *image, int x, int y, int width, int height, dit_error *error);

void dit_image_mirror(dit_image *image); // left to right

// Applies an EXIF orientation (1 to 8; others do nothing).
dit_status dit_image_orient(dit_image *image, int orientation, dit_error *error);

// Resampling. When a picture shrinks the filter widens with it, so nothing aliases; nearest excepted.
typedef enum dit_filter {
    DIT_FILTER_NEAREST, // labels and masks
    DIT_FILTER_BOX,     // area
    DIT_FILTER_BILINEAR,
    DIT_FILTER_BICUBIC, // a = -1/2
    DIT_FILTER_LANCZOS, // three lobes
} dit_filter;

// Gives what Pillow 13's Image.resize gives with the filter of that name, to the bit: one axis after the other, 22-bit
// fixed-point weights, 8-bit samples in between, alpha premultiplied on the way. A picture that could not be resized is
// of no further use.
dit_status dit_image_resize(dit_image *image, int width, int height, dit_filter filter, dit_error *error);

// Scales so that the picture covers (width, height), and crops what sticks out equally on both sides.
dit_status dit_image_cover(dit_image *image, int width, int height, dit_filter filter, dit_error *error);

// Pixels to planes (C, H, W) of 2 (p / 255) - 1, and back: round(255 clamp(x / 2 + 1/2, 0, 1)), halves to even; NaN
// gives 0.
void dit_image_to_planes(const dit_image *image, float *planes);
void dit_image_from_planes(dit_image *image, const float *planes);

#endif
