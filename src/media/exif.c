// media/exif.c: the orientation tag of a TIFF structure (TIFF 6.0, section 2; EXIF 2.32, section 4.6.4).
#include "media/decode.h"
#include <string.h>

struct tiff {
    const uint8_t *bytes;
    size_t size;
    bool big_endian;
};

// The unsigned number of `width` bytes at `at`; 0 where the structure ends before it.
static uint32_t number_at(const struct tiff *t, size_t at, size_t width)
{
    uint32_t x = 0;
    if (at > t->size || t->size - at < width)
        return 0;
    for (size_t i = 0; i < width; i++)
        x = x << 8 | t->bytes[at + (t->big_endian ? i : width - 1 - i)];
    return x;
}

int dit_exif_orientation(const uint8_t *bytes, size_t size)
{
    enum { ORIENTATION = 0x0112, SHORT = 3 };
    if (size < 8 || (memcmp(bytes, "II*\0", 4) && memcmp(bytes, "MM\0*", 4)))
        return 1;
    struct tiff t = {bytes, size, bytes[0] == 'M'};
    size_t directory = number_at(&t, 4, 4);
    size_t entries = number_at(&t, directory, 2);
    for (size_t i = 0; i < entries; i++) {
        size_t entry = directory + 2 + 12 * i;
        if (entry + 12 > size)
            break;
        if (number_at(&t, entry, 2) != ORIENTATION)
            continue;
        uint32_t value = number_at(&t, entry + 8, 2);
        bool good = number_at(&t, entry + 2, 2) == SHORT && number_at(&t, entry + 4, 4) == 1;
        return good && value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}
