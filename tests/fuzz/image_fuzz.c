// tests/fuzz/image_fuzz.c: any bytes as a picture of any format, and as a PNG with texts; what decodes is resized,
// written and read back.
#include "media/image.h"
#include "media/png.h"
#include <stdlib.h>
#include <string.h>

static void write_and_read_back(const dit_image *image)
{
    unsigned char *bytes;
    size_t size;
    dit_image back;
    dit_error error = {0};
    if (dit_png_encode(image, NULL, 0, &bytes, &size, &error) ||
        dit_image_decode(&back, "back.png", bytes, size, 0, &error))
        abort();
    if (back.width != image->width || back.height != image->height || back.channels != image->channels ||
        memcmp(back.pixels, image->pixels, (size_t)(back.width * back.height * back.channels)))
        abort();
    dit_image_free(&back);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    dit_image image;
    dit_error error = {0};
    if (!dit_image_decode(&image, "fuzz", bytes, size, 0, &error)) {
        if (image.width < 1 || image.height < 1 || image.width > DIT_IMAGE_LONGEST_SIDE)
            abort();
        if ((int64_t)image.width * image.height <= 1 << 16)
            write_and_read_back(&image);
        if (dit_image_cover(&image, 7, 5, (dit_filter)(size % 5), &error) ||
            dit_image_flatten(&image, (const uint8_t[]){255, 255, 255}, &error))
            abort();
        dit_image_free(&image);
    } else if (!*error.message) {
        abort();
    }
    dit_png_texts *texts;
    error = (dit_error){0};
    if (!dit_png_decode_texts(&texts, "fuzz", bytes, size, &error)) {
        for (size_t i = 0; i < dit_png_texts_count(texts); i++)
            if (!dit_png_texts_find(texts, dit_png_texts_at(texts, i).key))
                abort();
        dit_png_texts_free(texts);
    }
    return 0;
}
