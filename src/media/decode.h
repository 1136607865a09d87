// media/decode.h: one decoder for each picture format, for image.c to choose from.
#ifndef DIT_MEDIA_DECODE_H
#define DIT_MEDIA_DECODE_H

#include "media/image.h"

enum { DIT_IMAGE_LARGEST_FILE = 512 << 20 };

// A decoder gives the picture in the file's own channels (1, 3 or 4) and the EXIF orientation (1 when it has none).
// `name` is the file's, for errors. On failure there is no picture to free.
typedef dit_status dit_image_decoder(dit_image *image, int *orientation, const char *name, const uint8_t *bytes,
                                     size_t size, dit_error *error);
dit_image_decoder dit_png_decode, dit_jpeg_decode, dit_webp_decode;

// Checks the size that a file claims before anything is allocated for it: the limits of image.h, and that `size` bytes
// can hold that much. Every format can store flat areas in almost nothing, so 16 million pixels are always believed.
dit_status dit_image_check_claim(const char *name, uint64_t width, uint64_t height, size_t size, dit_error *error);

// The orientation (1 to 8) in a TIFF structure, as EXIF holds it; 1 when there is none or it is malformed.
int dit_exif_orientation(const uint8_t *tiff, size_t size);

#endif
