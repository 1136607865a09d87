// base/image.c: pictures handed to callers.
#include "dit/dit.h"
#include <stdlib.h>

void dit_image_free(dit_image *image)
{
    if (!image)
        return;
    free(image->pixels);
    *image = (dit_image){0};
}
