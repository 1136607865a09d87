// media/image_write.c: dit_image_write of the public header.
#include "media/png.h"
#include <stdlib.h>

dit_status dit_image_write(const dit_image *image, const char *path, const char *const *text, dit_error *error)
{
    size_t count = 0;
    while (text && text[2 * count] && text[2 * count + 1])
        count++;
    dit_text_pair *pairs = calloc(count + 1, sizeof *pairs);
    if (!pairs)
        return dit_fail(error, DIT_NO_MEMORY, "out of memory for %zu texts", count);
    for (size_t i = 0; i < count; i++)
        pairs[i] = (dit_text_pair){text[2 * i], text[2 * i + 1]};
    dit_status status = dit_png_save(path, image, pairs, count, error);
    free(pairs);
    return status;
}
