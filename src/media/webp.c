// media/webp.c: reading WebP files with libwebp.
#include "media/decode.h"
#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>

static dit_status decode_still(dit_image *image, const char *name, const uint8_t *bytes, size_t size, bool alpha,
                               dit_error *error)
{
    int stride = image->width * image->channels;
    size_t room = (size_t)stride * (size_t)image->height;
    uint8_t *done = alpha ? WebPDecodeRGBAInto(bytes, size, image->pixels, room, stride)
                          : WebPDecodeRGBInto(bytes, size, image->pixels, room, stride);
    return done ? DIT_OK : dit_fail(error, DIT_BAD_FILE, "%s: broken WebP: its pixels cannot be decoded", name);
}

// The first frame of an animation, on its canvas.
static dit_status decode_first_frame(dit_image *image, const char *name, const uint8_t *bytes, size_t size,
                                     dit_error *error)
{
    WebPData data = {bytes, size};
    WebPAnimDecoder *decoder = WebPAnimDecoderNew(&data, NULL); // RGBA
    WebPAnimInfo info;
    uint8_t *canvas;
    int time;
    bool good = decoder && WebPAnimDecoderGetInfo(decoder, &info) && (int)info.canvas_width == image->width &&
                (int)info.canvas_height == image->height && WebPAnimDecoderGetNext(decoder, &canvas, &time);
    if (good)
        memcpy(image->pixels, canvas, (size_t)image->width * (size_t)image->height * 4);
    WebPAnimDecoderDelete(decoder);
    return good ? DIT_OK : dit_fail(error, DIT_BAD_FILE, "%s: broken WebP: its first frame cannot be decoded", name);
}

static int find_orientation(const uint8_t *bytes, size_t size)
{
    int orientation = 1;
    WebPData data = {bytes, size};
    WebPDemuxer *demuxer = WebPDemux(&data);
    WebPChunkIterator chunk;
    if (demuxer && WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk)) {
        bool prefixed = chunk.chunk.size > 6 && !memcmp(chunk.chunk.bytes, "Exif\0\0", 6);
        orientation =
            dit_exif_orientation(chunk.chunk.bytes + (prefixed ? 6 : 0), chunk.chunk.size - (prefixed ? 6 : 0));
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    WebPDemuxDelete(demuxer);
    return orientation;
}

dit_status dit_webp_decode(dit_image *image, int *orientation, const char *name, const uint8_t *bytes, size_t size,
                           dit_error *error)
{
    WebPBitstreamFeatures features;
    VP8StatusCode code = WebPGetFeatures(bytes, size, &features);
    if (code == VP8_STATUS_NOT_ENOUGH_DATA)
        return dit_fail(error, DIT_BAD_FILE, "%s: broken WebP: the file is cut short", name);
    if (code != VP8_STATUS_OK)
        return dit_fail(error, DIT_BAD_FILE, "%s: broken WebP: its header makes no sense", name);
    dit_status status = dit_image_check_claim(name, (uint64_t)features.width, (uint64_t)features.height, size, error);
    dit_image decoded = {0};
    bool alpha = features.has_alpha || features.has_animation;
    if (!status)
        status = dit_image_alloc(&decoded, features.width, features.height, alpha ? 4 : 3, error);
    if (!status)
        status = features.has_animation ? decode_first_frame(&decoded, name, bytes, size, error)
                                        : decode_still(&decoded, name, bytes, size, alpha, error);
    if (status) {
        dit_image_free(&decoded);
        return status;
    }
    *orientation = find_orientation(bytes, size);
    *image = decoded;
    return DIT_OK;
}
