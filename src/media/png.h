// media/png.h: writing PNG files, and the texts that they carry.
#ifndef DIT_MEDIA_PNG_H
#define DIT_MEDIA_PNG_H

#include "base/error.h"
#include "base/text_pair.h"
#include "dit/dit.h"
#include <stddef.h>

// Encodes a picture (grey, RGB or RGBA) into malloc'd bytes. Each text becomes a chunk before the pixels: tEXt when it
// is ASCII, iTXt otherwise, as Pillow writes them. A key has 1 to 79 printable ASCII characters, without spaces at its
// ends or in a row (PNG specification, 11.3.4.2). Fails with DIT_BAD_ARGUMENT (a key, text that is not UTF-8, a picture
// beyond the limits of media/image.h) or DIT_NO_MEMORY.
dit_status dit_png_encode(const dit_image *image, const dit_text_pair *texts, size_t count, unsigned char **bytes,
                          size_t *size, dit_error *error);
// The same into a file, which appears whole or not at all (io/atomic_file.h).
dit_status dit_png_save(const char *path, const dit_image *image, const dit_text_pair *texts, size_t count,
                        dit_error *error);

// The texts of a PNG file (tEXt, zTXt and iTXt chunks) as UTF-8.
typedef struct dit_png_texts dit_png_texts; // freed with dit_png_texts_free
dit_status dit_png_read_texts(dit_png_texts **texts, const char *path, dit_error *error);
dit_status dit_png_decode_texts(dit_png_texts **texts, const char *name, const void *bytes, size_t size,
                                dit_error *error);
size_t dit_png_texts_count(const dit_png_texts *texts);
dit_text_pair dit_png_texts_at(const dit_png_texts *texts, size_t index);
// The first text of that key, or NULL.
const char *dit_png_texts_find(const dit_png_texts *texts, const char *key);
void dit_png_texts_free(dit_png_texts *texts); // may be NULL

#endif
