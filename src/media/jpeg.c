// media/jpeg.c: reading JPEG files with libjpeg. Its errors jump; see png_decode.c for how that is kept tidy.
#include "media/decode.h"
#include "media/pixel.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// jpeglib.h needs stdio.h before it.
#include <jerror.h>
#include <jpeglib.h>

enum { MOST_SCANS = 64, EXIF = JPEG_APP0 + 1 };

struct reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    char message[JMSG_LENGTH_MAX];
    dit_image image;
    uint8_t *row; // of CMYK
    int orientation;
};

static void on_error(j_common_ptr jpeg)
{
    struct reader *r = jpeg->client_data;
    jpeg->err->format_message(jpeg, r->message);
    longjmp(r->jump, 1);
}

// Where data is missing, libjpeg warns and invents grey pixels. That is an error here; other warnings are about bytes
// that do no harm.
static void on_message(j_common_ptr jpeg, int level)
{
    if (level < 0 && (jpeg->err->msg_code == JWRN_JPEG_EOF || jpeg->err->msg_code == JWRN_HIT_MARKER))
        on_error(jpeg);
}

static void on_output(j_common_ptr jpeg)
{
    (void)jpeg; // the library prints nothing
}

// Each scan of a progressive file goes over the whole picture, and costs the file a few bytes only.
static void on_progress(j_common_ptr jpeg)
{
    struct reader *r = jpeg->client_data;
    if (r->jpeg.input_scan_number > MOST_SCANS) {
        snprintf(r->message, sizeof r->message, "more than %d scans", MOST_SCANS);
        longjmp(r->jump, 1);
    }
}

static dit_status report(const struct reader *r, const char *name, dit_error *error)
{
    return dit_fail(error, DIT_BAD_FILE, "%s: broken JPEG: %s", name, r->message);
}

static int find_orientation(const struct jpeg_decompress_struct *jpeg)
{
    for (const struct jpeg_marker_struct *m = jpeg->marker_list; m; m = m->next)
        if (m->marker == EXIF && m->data_length > 6 && !memcmp(m->data, "Exif\0\0", 6))
            return dit_exif_orientation(m->data + 6, m->data_length - 6);
    return 1;
}

static dit_status read_start(struct reader *r, const char *name, const uint8_t *bytes, size_t size, dit_error *error)
{
    if (setjmp(r->jump))
        return report(r, name, error);
    jpeg_create_decompress(&r->jpeg);
    r->jpeg.client_data = r;
    r->jpeg.progress = &r->progress;
    jpeg_mem_src(&r->jpeg, bytes, (unsigned long)size);
    jpeg_save_markers(&r->jpeg, EXIF, 0xffff);
    jpeg_read_header(&r->jpeg, TRUE);
    dit_status status = dit_image_check_claim(name, r->jpeg.image_width, r->jpeg.image_height, size, error);
    if (status)
        return status;
    r->orientation = find_orientation(&r->jpeg);
    J_COLOR_SPACE space = r->jpeg.jpeg_color_space;
    if (space == JCS_UNKNOWN)
        return dit_fail(error, DIT_UNSUPPORTED, "%s: a JPEG of %d components of unknown colours is not supported", name,
                        r->jpeg.num_components);
    r->jpeg.out_color_space = space == JCS_GRAYSCALE                   ? JCS_GRAYSCALE
                              : space == JCS_CMYK || space == JCS_YCCK ? JCS_CMYK
                                                                       : JCS_RGB;
    return dit_image_alloc(&r->image, (int)r->jpeg.image_width, (int)r->jpeg.image_height,
                           space == JCS_GRAYSCALE ? 1 : 3, error);
}

// Adobe's programs store CMYK inverted, and say so by their marker.
static void cmyk_to_rgb(const struct reader *r, uint8_t *rgb)
{
    unsigned flip = r->jpeg.saw_Adobe_marker ? 255 : 0;
    const uint8_t *cmyk = r->row;
    for (int x = 0; x < r->image.width; x++, cmyk += 4, rgb += 3) {
        unsigned white = 255 - (cmyk[3] ^ flip);
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)(white - dit_divide_255((cmyk[c] ^ flip) * white));
    }
}

static dit_status read_pixels(struct reader *r, const char *name, dit_error *error)
{
    if (setjmp(r->jump))
        return report(r, name, error);
    jpeg_start_decompress(&r->jpeg);
    bool cmyk = r->jpeg.out_color_space == JCS_CMYK;
    if (cmyk && !(r->row = malloc(4 * (size_t)r->image.width)))
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to decode it", name);
    while (r->jpeg.output_scanline < r->jpeg.output_height) {
        size_t y = r->jpeg.output_scanline;
        uint8_t *to = r->image.pixels + y * (size_t)r->image.width * (size_t)r->image.channels;
        JSAMPROW row = cmyk ? r->row : to;
        jpeg_read_scanlines(&r->jpeg, &row, 1);
        if (cmyk)
            cmyk_to_rgb(r, to);
    }
    jpeg_finish_decompress(&r->jpeg);
    return DIT_OK;
}

dit_status dit_jpeg_decode(dit_image *image, int *orientation, const char *name, const uint8_t *bytes, size_t size,
                           dit_error *error)
{
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return dit_fail(error, DIT_NO_MEMORY, "%s: no memory to decode it", name);
    r->jpeg.err = jpeg_std_error(&r->errors);
    r->errors.error_exit = on_error;
    r->errors.emit_message = on_message;
    r->errors.output_message = on_output;
    r->progress.progress_monitor = on_progress;
    r->jpeg.client_data = r;
    dit_status status = read_start(r, name, bytes, size, error);
    if (!status)
        status = read_pixels(r, name, error);
    if (status) {
        dit_image_free(&r->image);
    } else {
        *image = r->image;
        *orientation = r->orientation;
    }
    jpeg_destroy_decompress(&r->jpeg);
    free(r->row);
    free(r);
    return status;
}
